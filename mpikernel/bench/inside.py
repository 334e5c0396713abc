"""What every bench does that is the script of a world: measure with a client, and print a report for the process outside.

Run by itself (`-m mpikernel.bench.inside`) it measures nothing and prints where it is.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mpi4py
import msgspec
from mpi4py import MPI

from mpikernel import Client, __version__
from mpikernel.bench.measuring import Effort, read_effort
from mpikernel.bench.sheet import Place, Report, Sheet
from mpikernel.world.communicators import library


def run(*measures: Callable[[Client, Effort], Sheet]) -> None:
    """Measure as much as the command line says. The report is the last line on stdout."""
    effort = read_effort(sys.argv[1])
    with Client() as client:
        place = describe(client)
        _print(Report(place, [measure(client, effort) for measure in measures]))


def folder() -> Path:
    """Where a bench may put files, which go with the world."""
    return Path(sys.argv[-1])


def describe(client: Client) -> Place:
    """The world that this script is in."""
    return Place(
        mpikernel=__version__,
        mpi=library(),
        mpi4py=mpi4py.__version__,
        python=platform.python_version(),
        ranks=MPI.COMM_WORLD.Get_size(),
        engines=len(client),
        cores=len(os.sched_getaffinity(0)),
        hosts=len(set(client.port.state.hosts)),
        started=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    )


def _print(figures: Report | Place) -> None:
    print(msgspec.json.encode(figures).decode(), flush=True)


if __name__ == "__main__":
    with Client() as own:
        _print(describe(own))
