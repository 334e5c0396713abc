"""What runs is interrupted where script and engine are one process: by a limit of time, and by another thread of the script."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from checks import raises, run_checks, wait_until

from mpikernel import Client
from mpikernel.errors import RemoteError, TaskAborted, TaskTimeoutError

client = Client()
balanced = client.load_balanced_view()
RUNNING = os.path.abspath("running")


def wait_long() -> None:
    open(RUNNING, "x").close()
    time.sleep(60)


def wait_for_item(_: int) -> None:
    wait_long()


@contextmanager
def once_it_runs(action: Callable[[], object]) -> Iterator[None]:
    """Another thread does something when the call of the block runs."""

    def act() -> None:
        wait_until(lambda: os.path.exists(RUNNING))
        action()

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()
    os.remove(RUNNING)


def check_a_limit_of_time() -> None:
    with balanced.temp_flags(timeout=0.2), raises(TaskTimeoutError, "sleep", "0.2 s"):
        balanced.apply_sync(time.sleep, 60)


def check_another_thread_aborts() -> None:
    with once_it_runs(client.abort), raises(TaskAborted, "wait_long was interrupted after"):
        client[0].apply_sync(wait_long)
    with once_it_runs(client.abort), raises(TaskAborted, "interrupted after"):
        balanced.map_sync(wait_for_item, range(3), chunksize=1)
    assert balanced.map_sync(abs, [-1, 2]) == [1, 2]


def check_another_thread_interrupts() -> None:
    with once_it_runs(client.interrupt), raises(RemoteError, "KeyboardInterrupt"):
        client[0].apply_sync(wait_long)


run_checks(globals())
