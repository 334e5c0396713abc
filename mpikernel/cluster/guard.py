"""A guard: a process that outlives this one, should it be killed, and then does what this one can no longer do.

Nothing else ends a world reliably when the command that started it is dead: a parent-death signal reaches mpiexec alone, and only once.
Not covered is a kill in the moment (a millisecond) between the start of mpiexec and that of the guard.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

#: Meant for the process that we guard, though a batch system sends them to all.
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def guarded(finish: Callable[[], None]) -> Iterator[None]:
    """While the block runs a guard stands by, which calls `finish` when this process dies in it.

    Start threads inside of the block and not before: the guard is a fork.
    """
    reader, writer = os.pipe()  # nobody ever writes: the end of the last writer, which is this process, is what the guard waits for
    pid = os.fork()
    if pid == 0:
        _stand_by(reader, finish)
    os.close(reader)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(writer)


def _stand_by(reader: int, finish: Callable[[], None]) -> None:
    """The life of the guard; never returns."""
    try:
        os.setsid()  # away from the terminal's Ctrl-C
        signal.set_wakeup_fd(-1)
        for signum in IGNORED:
            signal.signal(signum, signal.SIG_IGN)
        _keep_only(reader)
        if os.read(reader, 1) == b"":
            finish()
    finally:
        os._exit(0)


def _keep_only(reader: int) -> None:
    """Let go of all files, so that nobody who waits for the end of one of them waits for the guard."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for number in map(int, os.listdir("/proc/self/fd")):
        if number not in (0, 1, 2, reader):
            with suppress(OSError):  # the one that listed the others is closed already
                os.close(number)
