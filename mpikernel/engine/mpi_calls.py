"""The methods of mpi4py in which one waits for others: for whom, as far as their arguments tell.

Only those that nobody leaves before others have done their part, or may not leave. What is not here is never taken for a wait, such as
reading and writing files: that may take long by itself.
"""

from __future__ import annotations

from typing import NamedTuple

from mpikernel.wire.sitting import COLLECTIVE, OTHER, RECEIVE, SEND


class Method(NamedTuple):
    """How a method waits."""

    kind: str
    sure: bool = True  # as in Waits
    peer: str = ""  # the argument that names a rank; empty if there is none
    position: int = 0  # of that argument
    default: int = -1  # what it is if it is not given; negative for any rank


def _all(kind: str, names: str, sure: bool = True) -> dict[str, Method]:
    return dict.fromkeys(names.split(), Method(kind, sure))


def _rooted(names: str, position: int) -> dict[str, Method]:
    return dict.fromkeys(names.split(), Method(COLLECTIVE, True, "root", position, 0))


METHODS: dict[str, Method] = {
    **_all(COLLECTIVE, "Barrier barrier Allreduce allreduce Allgather allgather Alltoall alltoall Reduce_scatter_block Fence"),
    **_all(COLLECTIVE, "Split Split_type Dup Dup_with_info Create Clone Create_cart"),
    **_all(COLLECTIVE, "Allgatherv Alltoallv Alltoallw Reduce_scatter Scan scan Exscan exscan", sure=False),
    **_rooted("Bcast bcast gather scatter", 1),
    **_rooted("Gather Gatherv Scatter Scatterv reduce", 2),
    **_rooted("Reduce", 3),
    **dict.fromkeys(("Send", "send", "Ssend", "ssend", "Rsend"), Method(SEND, True, "dest", 1)),
    **dict.fromkeys(("Recv", "recv"), Method(RECEIVE, True, "source", 1)),
    **dict.fromkeys(("Probe", "probe", "Mprobe", "mprobe"), Method(RECEIVE, True, "source", 0)),
    **dict.fromkeys(("Sendrecv", "sendrecv"), Method(OTHER, True, "source", 4)),
    **_all(OTHER, "Wait wait Waitall waitall Waitany waitany Waitsome waitsome Sendrecv_replace", sure=False),
}

#: Those of these names that other libraries may have for something else.
MANIFOLD = frozenset(("Split", "Create", "Clone", "Scan", "Probe", "Fence"))
