"""Does some calls, then has engine 0 end its process in the way that the first argument says."""

from __future__ import annotations

import sys
import time

from mpikernel import Client


def die(how: str) -> None:
    import ctypes
    import os
    import signal

    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "crash":
        ctypes.string_at(0)
    if how == "exit-in-c":
        ctypes.CDLL(None).exit(4)  # as Fortran's stop does
    if how == "abort":
        from mpi4py import MPI

        MPI.COMM_WORLD.Abort(5)


client = Client()
assert client[0].apply_sync(abs, -1) == 1
assert client.load_balanced_view().map_sync(abs, [-2, -3]) == [2, 3]
time.sleep(0.3)  # longer than the ledger waits to commit
print("ready", flush=True)
client[0].apply_sync(die, sys.argv[1])
