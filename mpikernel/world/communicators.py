"""The communicators of a world, all made once at boot, none of them COMM_WORLD.

`mail` carries envelopes, `bulk` large buffers, `control` what must overtake both; `engines` is the users' own, so that
their collectives never meet our traffic. Importing this module starts MPI; only boot does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

from mpi4py import MPI

from mpikernel.errors import LaunchError
from mpikernel.world.layout import Layout

#: MPI's own names, for the parts of boot that speak MPI before there is a transport.
Intracomm = MPI.Intracomm
Request = MPI.Request
BYTE = MPI.BYTE

#: Names as in the MPI standard, in the order of the levels.
LEVELS = {
    MPI.THREAD_SINGLE: "MPI_THREAD_SINGLE",
    MPI.THREAD_FUNNELED: "MPI_THREAD_FUNNELED",
    MPI.THREAD_SERIALIZED: "MPI_THREAD_SERIALIZED",
    MPI.THREAD_MULTIPLE: "MPI_THREAD_MULTIPLE",
}


_finalize = MPI.Finalize  # what users find under that name does nothing


class Communicators(NamedTuple):
    """`engines` is COMM_NULL on ranks that are none."""

    mail: MPI.Intracomm
    bulk: MPI.Intracomm
    control: MPI.Intracomm
    engines: MPI.Intracomm


def world_of_this_process() -> MPI.Intracomm:
    """All ranks that mpiexec started; for boot, before there are communicators of our own."""
    return MPI.COMM_WORLD


def finalize() -> None:
    """Leave MPI."""
    _finalize()


def keep_from_finalizing() -> None:
    """Let MPI.Finalize do nothing for Python code of this process: programs written for mpiexec end with it, and the world goes on."""
    MPI.Finalize = lambda: None


def show_engines_alone(comms: Communicators) -> None:
    """Let MPI.COMM_WORLD name the engines' communicator for Python code of this process."""
    MPI.COMM_WORLD = comms.engines  # type: ignore[misc]  # a constant for everybody else


def ids_in(owner: Any, engines: MPI.Intracomm) -> list[int] | None:
    """The engines that a communicator, a window or a file joins, by their ranks in it; -1 for one that is no engine.

    None for what joins nobody, or has been freed. Local: it may be asked while another thread is in a call of it.
    """
    kinds = (MPI.Intracomm, MPI.Win, MPI.File)
    kind = next((each for each in kinds if issubclass(type(owner), each)), None)  # its __class__ and Get_group may be code of the user's
    if kind is None:
        return None
    try:
        group, everybody = kind.Get_group(owner), engines.Get_group()
    except MPI.Exception:
        return None
    ids = [-1 if rank == MPI.UNDEFINED else rank for rank in group.Translate_ranks(None, everybody)]
    group.Free()
    everybody.Free()
    return ids


def make_communicators(layout: Layout) -> Communicators:
    """Collective over all ranks. Errors on our communicators come back as exceptions, so that they can be told well.

    When a communicator is first used for reductions of objects, mpi4py makes another for itself, and all of Python stands still in a rank
    until all have come. So that is done here, or a rank whose mates do not come could not even say so.
    """
    world = MPI.COMM_WORLD
    mail, bulk, control = world.Dup(), world.Dup(), world.Dup()
    rank = world.Get_rank()
    colour = 0 if rank in layout.engines else MPI.UNDEFINED
    engines = cast(MPI.Intracomm, world.Split(colour, rank))
    for comm in (mail, bulk, control):
        comm.Set_errhandler(MPI.ERRORS_RETURN)
    if rank in layout.engines:
        engines.allreduce(0)
    return Communicators(mail, bulk, control, engines)


def call_off(comms: Sequence[MPI.Intracomm], seconds: float) -> None:
    """Have all that other ranks do on these communicators fail, where they outlive each other; it takes this rank's help for a moment."""
    for comm in comms:
        comm.Revoke()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(MPI.Exception):
            comms[-1].Iprobe()


def check_threads(levels: Sequence[str]) -> None:
    """Refuse an MPI that does not allow calls from several threads: a rank's loop and its user's code share one.

    Args:
        levels: what each rank was granted, so that all of them come to the same answer.
    """
    needed = LEVELS[MPI.THREAD_MULTIPLE]
    for rank, level in enumerate(levels):
        if level != needed:
            raise LaunchError(
                f"this MPI ({library()}) grants {level} on rank {rank}, but mpikernel needs {needed}, because user code and the rank's own "
                "loop both call MPI: use an MPI built with thread support, and leave mpi4py.rc.thread_level and MPI4PY_RC_THREAD_LEVEL "
                "at 'multiple'"
            )


def thread_level() -> str:
    """The granted thread level, by its name in the standard."""
    return LEVELS[MPI.Query_thread()]


def library() -> str:
    """Name and version of the MPI, on one line."""
    text = MPI.Get_library_version().strip("\0").strip()
    first = text.splitlines()[0].strip()
    if first.startswith("Open MPI"):
        return first.split(",")[0].replace("Open MPI v", "Open MPI ")
    return " ".join(first.replace("Version:", "").split())
