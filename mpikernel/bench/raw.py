"""Raw mpi4py, which the benches compare with: what the script's rank does, and the part that an engine's rank plays in it.

An engine plays its part inside of one call, so mpikernel sends nothing meanwhile; its loops go on looking for mail, as they do
under any code of the user's. MPI.COMM_WORLD must be all ranks (--comm-world=world).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from mpi4py import MPI

from mpikernel import engine
from mpikernel.client.direct import DirectView
from mpikernel.errors import UsageError

Work = tuple[Callable[..., object], tuple[object, ...]]

#: Tags. A pickled None under STOP ends a part; it is so short that who waits for bytes has room for it.
GO, STOP = 0, 1


@contextmanager
def partners(view: DirectView, part: Callable[..., None], *args: object) -> Iterator[list[int]]:
    """Have the engines of a view play `part(rank of the script, *args)` until the block is left. Gives their ranks."""
    comm, ranks = MPI.COMM_WORLD, ranks_of(view)
    playing = view.apply_async(part, comm.Get_rank(), *args)
    try:
        yield ranks
    finally:
        for rank in ranks:
            comm.send(None, rank, STOP)
        playing.get()


def ranks_of(view: DirectView) -> list[int]:
    """Where the engines of a view are."""
    return list(view.apply_async(rank_in_world).get_dict().values())


def rank_in_world() -> int:
    """Runs on an engine. Refuses where its partner would wait for ever."""
    rank: int = engine.properties["rank"]
    if MPI.COMM_WORLD.Get_rank() != rank:
        raise UsageError("on engines MPI.COMM_WORLD is the engines alone: start the world with --comm-world=world")
    return rank


# pickled calls: the script's side, then the partner's; arrays are in raw_bytes -----------------------------------------------


def call_all(ranks: Sequence[int], work: Work) -> list[object]:
    """One call on each of these ranks at the same time."""
    comm = MPI.COMM_WORLD
    for rank in ranks:
        comm.send(work, rank, GO)
    return [comm.recv(source=rank) for rank in ranks]


def share_out(ranks: Sequence[int], works: Iterable[Work]) -> list[object]:
    """Master and workers: each rank has one call at a time, and gets the next for its answer."""
    comm, status = MPI.COMM_WORLD, MPI.Status()
    waiting = iter(works)
    busy = 0
    for rank, work in zip(ranks, waiting, strict=False):
        comm.send(work, rank, GO)
        busy += 1
    answers: list[object] = []
    while busy:
        answers.append(comm.recv(source=MPI.ANY_SOURCE, status=status))
        following = next(waiting, None)
        if following is None:
            busy -= 1
        else:
            comm.send(following, status.Get_source(), GO)
    return answers


def answer_calls(script: int) -> None:
    """The partner of both: do what comes, and send what it gives."""
    comm, status = MPI.COMM_WORLD, MPI.Status()
    while True:
        work = comm.recv(source=script, status=status)
        if status.Get_tag() == STOP:
            return
        function, args = work
        comm.send(function(*args), script)
