"""Which processes belong to a run, and how they are ended: by the mark that each inherits in its environment.

Ranks leave the process group and the session of mpiexec (MPICH's proxy calls setsid), so neither finds all of them.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import psutil

MARK = "MPIKERNEL_TEST_MARK"  # the variable; its value is new for each run


def marked(mark: str) -> list[psutil.Process]:
    """The living processes of the run, oldest first."""
    found = [process for process in psutil.process_iter() if _environ(process).get(MARK) == mark]
    return sorted(found, key=lambda process: process.pid)


def rank_process(mark: str, rank: int) -> psutil.Process | None:
    """The process of one rank, not what it started itself; None when there is none."""
    for process in marked(mark):
        environ = _environ(process)
        if environ.get("OMPI_COMM_WORLD_RANK", environ.get("PMI_RANK")) == str(rank):
            return process
    return None


def wait_gone(mark: str, limit: float) -> list[psutil.Process]:
    """Wait until no process of the run lives; those that still do after `limit` seconds."""
    deadline = time.monotonic() + limit
    while (left := marked(mark)) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=max(0.0, deadline - time.monotonic()))
    return left


def kill_marked(mark: str) -> None:
    """Kill every process of the run, each by its id, until none is left."""
    while left := marked(mark):
        for process in left:
            with suppress(psutil.NoSuchProcess):  # it ended first
                process.kill()
        psutil.wait_procs(left, timeout=1)


def abort_python(mark: str) -> None:
    """Abort every Python process of the run; each prints its stacks then, where PYTHONFAULTHANDLER is set."""
    for process in marked(mark):
        with suppress(psutil.NoSuchProcess):  # it ended first
            if process.name().startswith("python"):
                process.send_signal(signal.SIGABRT)


def describe(process: psutil.Process) -> str:
    """One line: id and command."""
    try:
        return f"{process.pid}: {' '.join(process.cmdline())}"
    except psutil.Error:
        return f"{process.pid}: (gone by now)"


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}  # another user's, a zombie, or gone by now: none of them is a running process of ours
