"""Leaves engines in a barrier that one of them does not enter, sees the error, and ends as the first argument says."""

from __future__ import annotations

import sys

from mpikernel import Client
from mpikernel.errors import CompositeError


def meet() -> None:
    from mpikernel import engine

    if engine.id == 1:
        raise ValueError("no")
    engine.comm.Barrier()


try:
    Client()[:].apply_sync(meet)
except CompositeError as error:
    print(f"seen: {error}", flush=True)
sys.exit(int(sys.argv[1]))
