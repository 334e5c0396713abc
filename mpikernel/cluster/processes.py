"""The processes of one job on this host, and the shared memory that they use.

They are known by a mark that mpiexec and all it starts inherit in their environment. Groups and sessions would not do: Open MPI gives every
rank a group of its own, MPICH its proxy and every rank a session; and once mpiexec was killed, nobody knows whose children they were.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import psutil

MARK_VARIABLE = "MPIKERNEL_JOB"

#: What MPICH and Open MPI call their shared memory. A killed world leaves it behind, and it fills the host's memory.
SHARED_MEMORY = ("/dev/shm/mpich_shm_", "/dev/shm/sm_segment.")

LOOK = 0.05  # seconds between two looks at what is left
KILL_LIMIT = 5.0  # seconds; a killed process that lives longer hangs in the kernel


def new_mark() -> str:
    """A mark that no other job has."""
    return os.urandom(8).hex()


def mark_environment(environ: Mapping[str, str], mark: str) -> dict[str, str]:
    """The environment with the mark added; a job inside of another one bears both marks, and ends with the outer one."""
    return {**environ, MARK_VARIABLE: f"{environ.get(MARK_VARIABLE, '')} {mark}".strip()}


def members(mark: str) -> list[psutil.Process]:
    """The living processes of the job on this host."""
    return [process for process in psutil.process_iter() if mark in _environ(process).get(MARK_VARIABLE, "").split()]


def wait_gone(mark: str, seconds: float) -> list[psutil.Process]:
    """Wait until nothing of the job lives, at most so many seconds; returns what still does. Zombies do not live, whoever forgets them."""
    deadline = time.monotonic() + seconds
    while (left := members(mark)) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=LOOK)
    return left


def sweep(mark: str, linger: float) -> list[psutil.Process]:
    """End what is left of the job: wait `linger` seconds for it to go by itself, then kill it. Returns processes that no kill ends."""
    left = wait_gone(mark, linger)
    deadline = time.monotonic() + KILL_LIMIT
    while left and time.monotonic() < deadline:  # more than once: one may start another while it is killed
        for process in left:
            with suppress(psutil.NoSuchProcess):  # it ended first
                process.kill()
        left = wait_gone(mark, LOOK)
    return left


def shared_memory(processes: Iterable[psutil.Process]) -> set[str]:
    """The files in /dev/shm in which MPI keeps memory for these processes. Nobody else's: only what they have mapped counts."""
    return {path for process in processes for path in _mapped(process) if path.startswith(SHARED_MEMORY)}


def remove(paths: Iterable[str]) -> None:
    """Remove files; those that are gone already, or belong to somebody else, are left alone."""
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def _mapped(process: psutil.Process) -> Iterator[str]:
    try:
        yield from (region.path for region in process.memory_maps(grouped=True))
    except (psutil.Error, OSError):
        return  # it ended meanwhile


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        environ: dict[str, str] = process.environ()
    except (psutil.Error, OSError):
        return {}  # another user's, a zombie, or gone by now: none of them is a running process of ours
    return environ
