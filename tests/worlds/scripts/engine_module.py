"""mpikernel.engine on engines: ids, communicator, properties, collectives. Runs in a world of any size."""

from __future__ import annotations

import os
import socket
from typing import Any

import numpy as np
from checks import raises, run_checks
from mpi4py import MPI

from mpikernel import Client, CompositeError, engine
from mpikernel.errors import NoWorldError

client = Client()
everybody = client[:]
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


def who() -> tuple[Any, ...]:
    from mpikernel import engine

    return engine.id, engine.size, engine.comm.rank, engine.comm.size


def sum_over_engines(value: float) -> float:
    from mpi4py import MPI

    total: float = engine.comm.allreduce(value * (engine.id + 1), op=MPI.SUM)
    return total


def plain_mpi4py() -> tuple[int, int, list[int]]:
    """As code reads that was written for mpiexec alone."""
    import numpy as np
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    own, everything = np.array([comm.rank]), np.empty(comm.size, dtype=int)
    comm.Allgather(own, everything)
    return comm.rank, comm.size, everything.tolist()


def plain_mpi4py_import_of_name() -> tuple[int, int]:
    from mpi4py.MPI import COMM_WORLD

    return COMM_WORLD.rank, COMM_WORLD.size


def check_every_engine_knows_itself() -> None:
    assert everybody.apply_sync(who) == [(number, COUNT, number, COUNT) for number in client.ids]
    assert client.load_balanced_view().apply_sync(who)[1] == COUNT


def check_properties() -> None:
    rank, host, pid = client[0].apply_sync(lambda: [engine.properties[key] for key in ("rank", "host", "pid")])
    assert host == socket.gethostname()
    assert pid == client[0].apply_sync(os.getpid)
    assert rank == client[0].apply_async(abs, 1).rank or client[0].apply_sync(abs, 1)
    client[0].apply_sync(lambda: engine.properties.update(own="kept"))
    assert client[0].apply_sync(lambda: engine.properties["own"]) == "kept"


def check_a_collective_among_all_engines() -> None:
    expected = sum(number + 1 for number in client.ids) * 2.0
    assert everybody.apply_sync(sum_over_engines, 2.0) == [expected] * COUNT


def check_collectives_of_arrays_again_and_again() -> None:
    def reduce() -> float:
        total = np.empty(10_000)
        engine.comm.Allreduce(np.full(10_000, float(engine.id)), total)
        return float(total[0])

    for _ in range(20):
        assert everybody.apply_sync(reduce) == [float(sum(client.ids))] * COUNT


def check_messages_between_engines() -> None:
    def ring() -> int:
        comm = engine.comm
        neighbour: int = comm.sendrecv(engine.id, dest=(engine.id + 1) % engine.size, source=(engine.id - 1) % engine.size)
        return neighbour

    assert everybody.apply_sync(ring) == [(number - 1) % COUNT for number in client.ids]


def check_communicators_made_from_it() -> None:
    def halves() -> int:
        comm = engine.comm.Split(engine.id % 2)
        size: int = comm.size
        comm.Free()
        return size

    evens = (COUNT + 1) // 2
    assert everybody.apply_sync(halves) == [evens if number % 2 == 0 else COUNT // 2 for number in client.ids]


def check_plain_mpi4py_sees_the_engines_alone() -> None:
    assert everybody.apply_sync(plain_mpi4py) == [(number, COUNT, client.ids) for number in client.ids]
    assert everybody.apply_sync(plain_mpi4py_import_of_name) == [(number, COUNT) for number in client.ids]


def check_user_code_cannot_finalize_mpi() -> None:
    def ends_as_programs_do() -> int:
        from mpi4py import MPI

        MPI.Finalize()
        size: int = MPI.COMM_WORLD.size
        return size

    assert everybody.apply_sync(ends_as_programs_do) == [COUNT] * COUNT
    MPI.Finalize()
    assert everybody.apply_sync(sum_over_engines, 0.0) == [0.0] * COUNT


def check_calls_in_between_do_not_disturb_collectives() -> None:
    """Engines are in a collective while messages for them come."""
    slow = everybody.apply_async(lambda: engine.comm.allreduce(engine.id))
    queued = [everybody.push({"x": np.arange(100_000)}), everybody.pull("x")]
    assert slow.get() == [sum(client.ids)] * COUNT
    assert all(len(x) == 100_000 for x in queued[1].get())


def check_an_error_in_mpi_is_an_exception() -> None:
    """MPI's codes differ between processes; what comes back must not be another error, nor make MPI complain."""

    def send_to_nobody() -> None:
        engine.comm.send(1, dest=engine.size + 5)

    with raises(CompositeError, "invalid rank") as caught:
        everybody.apply_sync(send_to_nobody)
    assert [error.Get_error_class() for error in caught.error.exceptions] == [MPI.ERR_RANK] * COUNT
    assert all(type(error) is MPI.Exception for error in caught.error.exceptions)
    assert everybody.apply_sync(sum_over_engines, 0.0) == [0.0] * COUNT


def check_there_are_no_engines_names_in_the_script() -> None:
    if not APART:
        return
    for name in ("id", "size", "comm", "properties"):
        with raises(NoWorldError, f"engine.{name}", "apply"):
            getattr(engine, name)
    with raises(AttributeError, "nothing_of_that_name"):
        engine.nothing_of_that_name  # noqa: B018  # reading it is the check


def check_there_is_no_client_on_an_engine() -> None:
    with raises(NoWorldError, "engine"):
        client[0].apply_sync(lambda: Client())


run_checks(globals())
