"""What the batch system, or else the machine, gives a job: how many processes. Reads the environment, starts nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

import psutil

from mpikernel.errors import LaunchError


def processes_given(environ: Mapping[str, str]) -> int | None:
    """How many processes the batch system set aside for the job; None outside of one.

    Raises:
        LaunchError: what the batch system says makes no sense.
    """
    for variable in ("SLURM_NTASKS", "PBS_NP"):
        if variable in environ:
            return _count(variable, environ[variable])
    return _count_lines(environ["PBS_NODEFILE"]) if "PBS_NODEFILE" in environ else None


def processes_wanted(environ: Mapping[str, str]) -> int:
    """How many ranks are started when nobody says: what the job was given, else one for each core that we may use."""
    return processes_given(environ) or len(os.sched_getaffinity(0))


def slots(environ: Mapping[str, str]) -> int:
    """How many ranks an MPI starts without complaint: what the job was given, else one for each core (hyperthreads do not count)."""
    usable = len(os.sched_getaffinity(0))
    return processes_given(environ) or min(usable, psutil.cpu_count(logical=False) or usable)


def _count(variable: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise LaunchError(f"{variable} is {text!r}, not a number of processes; say how many are meant with -n")
    return int(text)


def _count_lines(path: str) -> int:
    """A PBS node file has one line for each process."""
    try:
        with open(path, encoding="utf-8") as file:
            return sum(1 for line in file if line.strip())
    except OSError as error:
        raise LaunchError(f"PBS_NODEFILE names {path}, which cannot be read: {error.strerror}; say how many are meant with -n") from None
