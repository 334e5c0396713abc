"""What runs is interrupted: by abort, by a limit of time, by interrupt. Runs in worlds whose engines are processes of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from checks import raises, run_checks, wait_until

from mpikernel import Client
from mpikernel.errors import CompositeError, RemoteError, TaskAborted, TaskTimeoutError

client = Client()
everybody = client[:]
one = client[0]
balanced = client.load_balanced_view()
COUNT = len(client)


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def count_for_ever(path: str) -> None:
    mark(path)
    number = 0
    while True:
        number += 1


def mark(path: str) -> None:
    open(path, "x").close()


def sleep_long(path: str) -> None:
    mark(path)
    time.sleep(60)


def clean_up(path: str) -> None:
    try:
        sleep_long(path)
    finally:
        mark(f"{path}-cleaned")


def stop_in_order(path: str) -> str:
    try:
        sleep_long(path)
    except KeyboardInterrupt:
        return "stopped in order"
    return "not interrupted"


def swallow(path: str, times: int) -> None:
    mark(path)
    for _ in range(times):
        with suppress(KeyboardInterrupt):
            time.sleep(60)
    time.sleep(60)


def with_a_handler(path: str) -> str:
    import signal

    def stop(signum: int, frame: object) -> None:
        raise StopIteration(signal.Signals(signum).name)

    before = signal.signal(signal.SIGINT, stop)
    try:
        sleep_long(path)
    except StopIteration as stopped:
        return str(stopped)
    finally:
        signal.signal(signal.SIGINT, before)
    return "not stopped"


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds, f"took {time.monotonic() - began} s"


def new_path(name: str) -> str:
    return os.path.abspath(f"interrupting-{name}")


def check_a_call_that_sleeps_is_aborted() -> None:
    path = new_path("sleeping")
    result = one.apply_async(sleep_long, path)
    wait_until(lambda: os.path.exists(path))
    with within(1.0):
        result.abort()
        with raises(TaskAborted, "sleep_long was interrupted after"):
            result.get()
    assert result.cancelled()
    assert result.status == "aborted"
    assert everybody.apply_sync(abs, -2) == [2] * COUNT


def check_a_loop_of_python_is_aborted_everywhere() -> None:
    path = new_path("counting")
    result = everybody.apply_async(lambda: count_for_ever(f"{path}-{os.getpid()}"))
    wait_until(lambda: sum(name.startswith("interrupting-counting") for name in os.listdir()) == COUNT)
    waiting = one.apply_async(abs, 1)
    with within(2.0):
        client.abort()
        assert client.wait(timeout=20)
    assert result.cancelled()
    with raises(TaskAborted, "before it began"):
        waiting.get()
    assert everybody.apply_sync(abs, -3) == [3] * COUNT


def check_finally_runs() -> None:
    path = new_path("finally")
    result = one.apply_async(clean_up, path)
    wait_until(lambda: os.path.exists(path))
    one.abort(result)
    assert result.wait(20)
    assert os.path.exists(f"{path}-cleaned")


def check_a_call_may_end_well_all_the_same() -> None:
    path = new_path("orderly")
    result = one.apply_async(stop_in_order, path)
    wait_until(lambda: os.path.exists(path))
    result.abort()
    assert result.get(20) == "stopped in order"


def check_who_does_not_listen_is_told_again() -> None:
    path = new_path("swallowing")
    result = one.apply_async(swallow, path, 4)
    wait_until(lambda: os.path.exists(path))
    with within(12.0):
        result.abort()
        with raises(TaskAborted, "interrupted after"):
            result.get()
    with open(".mpikernel/log/engine-0.err") as log:
        told = log.read()
    assert told.count("was interrupted 3 times (cancelled), and goes on here:") == 1, told
    assert "in swallow" in told
    assert one.apply_sync(abs, -4) == 4


def check_cancel_leaves_alone_what_runs() -> None:
    path = new_path("cancel")
    result = one.apply_async(stop_in_order, path)
    wait_until(lambda: os.path.exists(path))
    assert not result.cancel()
    assert not result.wait(0.2)
    result.abort()
    assert result.get(20) == "stopped in order"


def check_interrupt() -> None:
    path = new_path("interrupt")
    result = everybody.apply_async(lambda: sleep_long(f"{path}-{os.getpid()}"))
    wait_until(lambda: sum(name.startswith("interrupting-interrupt") for name in os.listdir()) == COUNT)
    waiting = everybody.apply_async(abs, -5)
    with within(1.0):
        client.interrupt()
        with raises(CompositeError, "KeyboardInterrupt"):
            result.get()
    assert waiting.get() == [5] * COUNT
    client.interrupt(0)
    assert one.apply_sync(nap, 0.05) == 0.05, "there was nothing to interrupt"


def check_interrupt_is_raised_once() -> None:
    path = new_path("once")
    result = one.apply_async(stop_in_order, path)
    wait_until(lambda: os.path.exists(path))
    one.interrupt()
    assert result.get(20) == "stopped in order"


def check_a_handler_of_the_users_own_is_asked() -> None:
    path = new_path("handler")
    result = one.apply_async(with_a_handler, path)
    wait_until(lambda: os.path.exists(path))
    one.interrupt()
    assert result.get(20) == "SIGINT"


def check_interrupt_of_source_code() -> None:
    path = new_path("source")
    result = one.execute(f"import time; open({path!r}, 'x').close(); time.sleep(60)", block=False)
    wait_until(lambda: os.path.exists(path))
    one.interrupt()
    with raises(RemoteError, "KeyboardInterrupt") as caught:
        result.get()
    assert "time.sleep(60)" in str(caught.error.__cause__)
    assert "signals.py" not in str(caught.error.__cause__)


def check_a_task_is_aborted() -> None:
    path = new_path("task")
    result = balanced.apply_async(clean_up, path)
    wait_until(lambda: os.path.exists(path))
    with within(1.0):
        result.abort()
        with raises(TaskAborted, "clean_up was interrupted after"):
            result.get()
    assert os.path.exists(f"{path}-cleaned")
    assert balanced.map_sync(abs, range(-9, 0)) == list(range(9, 0, -1))


def check_a_map_is_aborted_whether_its_tasks_run_or_wait() -> None:
    for chunksize in (1, 3):
        result = balanced.map_async(nap, [60] * (8 * COUNT), chunksize=chunksize)
        wait_until(lambda result=result: result.elapsed > 0.3)
        with within(1.5):
            result.abort()
            assert result.wait(20)
        assert result.cancelled()
        assert set(result.status) == {"aborted"}
        with raises(TaskAborted, "interrupted"):
            result.get()
    assert balanced.map_sync(abs, range(-9, 0)) == list(range(9, 0, -1))


def check_a_task_has_a_limit_of_time() -> None:
    with balanced.temp_flags(timeout=0.3), within(1.5), raises(TaskTimeoutError, "nap", "engine", "0.3 s"):
        balanced.apply_sync(nap, 60)
    for chunksize in (1, 4):  # it is that of one call, not of a chunk
        with balanced.temp_flags(timeout=0.3):
            result = balanced.map_async(nap, [0.0, 60.0, 0.2, 0.2], chunksize=chunksize)
        with raises(CompositeError, "1 of 4") as caught:
            result.get()
        assert [type(error) for error in caught.error.exceptions] == [TaskTimeoutError]
        assert result.status == ["ok", "error", "ok", "ok"]
    assert balanced.apply_sync(nap, 0.4) == 0.4


def check_an_executor_does_not_interrupt() -> None:
    executor = client.executor()
    path = new_path("executor")
    running = executor.submit(stop_in_order, path)
    wait_until(lambda: os.path.exists(path))
    executor.shutdown(wait=False, cancel_futures=True)
    assert not running.wait(0.2)
    everybody.interrupt()
    assert running.get(20) == "stopped in order"


def check_clear() -> None:
    everybody.push({"a": 1}, block=True)
    client.clear(0)
    assert one.keys() == []
    cleared = client.clear(block=False)
    assert cleared is not None
    cleared.get()
    assert everybody.keys() == [[]] * COUNT


run_checks(globals())
