"""Who writes a ledger: one run at a time, whichever host it is on. Owns the lock file and what stands in it.

The system drops the lock when the process that holds it is gone, however it went; what is in the file only says who that was.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import NamedTuple

from mpikernel.errors import LedgerError

LOCK_NAME = "run.lock"

#: Seconds that a run tries while readers are looking. Each of them looks for some microseconds, unless the system stops it meanwhile.
_PATIENCE = 5.0


class Holder(NamedTuple):
    """The process that writes a ledger."""

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Holder:
    return Holder(os.getpid(), os.uname().nodename)


class RunLock:
    """Held by the run that writes the ledger in `folder`, from `__init__` to `release`. Raises LedgerError if another run holds it."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _take_for_run(self._file, folder)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, "{} {}\n".format(*this_process()).encode(), 0)
        except OSError:
            os.close(self._file)
            raise

    def release(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)  # closing is not enough where a forked child has the file open too
        os.close(self._file)


def find_holder(folder: Path) -> Holder | None:
    """The process that is writing the ledger in `folder` now, if any. Changes nothing."""
    try:
        file = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _take(file, fcntl.LOCK_SH, folder) else _named_in(file)
    except LedgerError:
        return None  # where files cannot be locked no run writes
    finally:
        os.close(file)


def _take_for_run(file: int, folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _take(file, fcntl.LOCK_EX, folder):
        if not _take(file, fcntl.LOCK_SH, folder) or time.monotonic() > deadline:  # shared is granted beside a reader, not beside a run
            raise _held(file, folder)
        fcntl.flock(file, fcntl.LOCK_UN)
        os.sched_yield()


def _held(file: int, folder: Path) -> LedgerError:
    return LedgerError(
        f"another run has the ledger in {folder} open: {_named_in(file)}; wait until it has ended, or use another cluster directory"
    )


def _take(file: int, kind: int, folder: Path) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LedgerError(f"the file system of {folder} cannot lock files ({error.strerror}); put the ledger on another one") from error
    return True


def _named_in(file: int) -> Holder:
    pid, _, host = os.pread(file, 300, 0).decode(errors="replace").strip().partition(" ")
    return Holder(int(pid), host) if pid.isdecimal() else Holder(0, "an unknown host")
