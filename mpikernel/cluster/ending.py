"""How a job is ended: first asked, then told, then killed. Knows no waiting of its own; whoever ends a job says how it waits."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psutil

from mpikernel.cluster.processes import members, remove, shared_memory, sweep

#: Reaches every rank under every MPI, and they end the world in order; on SIGTERM and SIGINT Open MPI's mpiexec kills them instead.
ASK = signal.SIGUSR1
#: Ends the job under Open MPI at once; under MPICH it reaches every rank again.
TELL = signal.SIGTERM
TELL_PATIENCE = 0.7  # seconds; Open MPI kills its ranks within 0.5, and all steps together are to take less than 5

LINGER = 0.5  # seconds that ranks may outlive mpiexec when all is well


def end(mpiexec: psutil.Process, mark: str, patience: float, wait: Callable[[float], bool]) -> list[psutil.Process]:
    """End the job, and return when nothing of it is left on this host but processes that no kill ends (they are what is returned).

    Args:
        patience: seconds that the world gets to end in order.
        wait: waits so many seconds at most for mpiexec to end; False when it did not.
    """
    memory = shared_memory(members(mark))  # now: afterwards nobody can say whose it is
    ended = _send(mpiexec, ASK, wait, patience) or _send(mpiexec, TELL, wait, TELL_PATIENCE)
    hung = sweep(mark, LINGER if ended else 0)
    remove(memory)
    return hung


def _send(mpiexec: psutil.Process, signum: signal.Signals, wait: Callable[[float], bool], patience: float) -> bool:
    try:
        mpiexec.send_signal(signum)
    except psutil.NoSuchProcess:
        return True  # it ended first
    return wait(patience)
