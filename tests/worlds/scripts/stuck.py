"""Calls that wait in MPI for what will not come are given up, and only those. Runs in worlds of four engines, each a process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from checks import raises, run_checks, wait_until

from mpikernel import Client, engine
from mpikernel.errors import CompositeError, EngineStuckError, TaskAborted, TaskTimeoutError, remote_text

client = Client()
everybody = client[:]
everybody.execute("import numpy, time; from mpi4py import MPI; comm = MPI.COMM_WORLD; rank = comm.Get_rank()", block=True)
#: So many seconds at most from the failure of one to the error of all: what nobody is in doubt of.
SOON = 15.0


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds, f"took {time.monotonic() - began} s"


def sits_unless(number: int, others: str, code: str = "raise ValueError('no')") -> CompositeError:
    """What it raises that one engine fails, or does whatever `code` says, while the others sit in MPI."""
    with within(SOON), raises(CompositeError) as caught:
        everybody.execute(f"if rank == {number}: {code}\nelse: {others}", block=True)
    return caught.error


def kinds(error: CompositeError) -> list[str]:
    return [row[0] for row in error.elist]


def all_are_free() -> bool:
    return everybody.apply_sync(abs, -1) == [1] * 4


def check_a_barrier_that_one_does_not_enter() -> None:
    error = sits_unless(2, "comm.Barrier()")
    assert kinds(error) == ["EngineStuckError", "EngineStuckError", "ValueError", "EngineStuckError"]
    assert "waits in comm.Barrier() (<execute" in str(error)
    assert "line 2) for engine 2 (rank" in str(error)
    assert "which raised ValueError: no" in str(error)
    trace = remote_text(error.exceptions[0])
    assert trace.startswith("on engine 0 (rank")
    assert "comm.Barrier()" in trace
    with within(SOON), raises(CompositeError, "[engines 0, 1, 3] EngineStuckError: it could not begin", "comm.Barrier()") as caught:
        everybody.execute("ran = True", block=True)
    assert len(caught.error.exceptions) == 3
    assert client.load_balanced_view().map_sync(abs, range(-50, 0)) == list(range(50, 0, -1)), "tasks go to the engine that is free"
    client[2].execute("comm.Barrier()", block=True)
    assert all_are_free()
    there = everybody.keys()
    assert ["ran" in names for names in there] == [False, False, True, False]
    assert set(client.load_balanced_view().map(lambda _: __import__("mpikernel.engine").engine.id, range(400)).get()) == {0, 1, 2, 3}


def check_what_comes_after_it_does_not_run() -> None:
    everybody.execute("after = False", block=True)
    sits_unless(1, "comm.Barrier(); after = True")
    client[1].execute("comm.Barrier()", block=True)
    assert all_are_free()
    assert everybody["after"] == [False] * 4


def check_a_function() -> None:
    def whole(number: float) -> float:
        from mpikernel import engine

        if engine.id == 3:
            raise KeyError(number)
        return float(engine.comm.allreduce(number))

    with within(SOON), raises(CompositeError, "engine.comm.allreduce(...) (stuck.py, line", "which raised KeyError") as caught:
        everybody.apply_sync(whole, 1.0)
    assert [type(error) for error in caught.error.exceptions] == [EngineStuckError] * 3 + [KeyError]
    client[3].execute("comm.allreduce(1.0)", block=True)
    assert all_are_free()


def check_one_that_has_ended() -> None:
    error = sits_unless(0, "numpy.zeros(3); comm.Allreduce(MPI.IN_PLACE, numpy.zeros(3))", "pass")
    assert kinds(error) == ["EngineStuckError"] * 3
    assert "for engine 0 (rank" in str(error)
    assert "which has ended" in str(error)
    client[0].execute("comm.Allreduce(MPI.IN_PLACE, numpy.zeros(3))", block=True)
    assert all_are_free()


def check_what_comes_from_one() -> None:
    assert kinds(sits_unless(2, "comm.Recv(numpy.zeros(3), source=2)")) == ["EngineStuckError"] * 2 + ["ValueError", "EngineStuckError"]
    client[2].execute("for other in 0, 1, 3: comm.Send(numpy.zeros(3), dest=other)", block=True)
    assert all_are_free()
    assert len(sits_unless(2, "comm.bcast(None, root=2)").exceptions) == 4
    client[2].execute("comm.bcast(5, root=2)", block=True)
    assert all_are_free()


def check_a_chain() -> None:
    error = sits_unless(3, "comm.recv(source=rank + 1)")
    assert "for engine 3 (rank" in str(error)
    assert "for engine 1 (rank" in str(error)
    assert "which waits in comm.recv(...)" in str(error)
    for number in (3, 2, 1):
        client[number].execute("comm.send(None, dest=rank - 1)", block=True)
    assert all_are_free()


def check_who_gives_work_to_the_others() -> None:
    error = sits_unless(3, "[comm.recv() for _ in range(3)] if rank == 0 else comm.recv(source=0)")
    assert kinds(error) == ["EngineStuckError"] * 3 + ["ValueError"]
    client[3].execute("comm.send(1, dest=0)", block=True)
    client[0].execute("comm.send(1, dest=1); comm.send(1, dest=2)", block=True)
    assert all_are_free()


def check_who_is_well_is_left_alone() -> None:
    def work(seconds: float) -> str:
        from mpikernel import engine

        comm, end = engine.comm, time.monotonic() + seconds
        pair = comm.Split(engine.id % 2)
        if engine.id == 0:
            pair.Barrier()
            comm.send("what took long", dest=1)
        if engine.id == 1:
            return str(comm.recv(source=0))
        if engine.id == 2:
            while time.monotonic() < end:
                pass
            pair.Barrier()
        if engine.id == 3:
            raise ValueError("no")
        return "done"

    result = everybody.apply_async(work, 7.0)
    with raises(CompositeError, "work failed in 1 of 4 calls: [engine 3] ValueError: no"):
        result.get()
    assert [call.value() for call in result.calls[:3]] == ["done", "what took long", "done"]


def check_who_exchanges_much_is_left_alone() -> None:
    def exchange(seconds: float) -> int:
        from mpikernel import engine

        comm, end, count, going = engine.comm, time.monotonic() + seconds, 0, True
        if engine.id > 1:
            assert engine.id == 2, "no"
            return 0
        other = 1 - engine.id
        while going:
            count += 1
            going = time.monotonic() < end
            theirs = comm.sendrecv(going, other, source=other)
            going = going if engine.id == 0 else theirs  # both go by what engine 0 says
        return count

    result = everybody.apply_async(exchange, 6.0)
    with raises(CompositeError, "exchange failed in 1 of 4 calls: [engine 3] AssertionError: no"):
        result.get()
    assert result.calls[0].value() == result.calls[1].value()


def sits_for_the_others(stop: Callable[[Any], object]) -> None:
    """Three engines sit in a barrier, and are told to stop."""
    here = os.path.abspath(f"sitting-{time.monotonic()}")
    result = client[:3].execute(f"open(f'{here}-{{rank}}', 'x').close(); comm.Barrier()", block=False)
    wait_until(lambda: all(os.path.exists(f"{here}-{number}") for number in range(3)))
    stop(result)
    with within(SOON), raises(TaskAborted, "was interrupted, but engine", "sits in comm.Barrier() (<execute", "which no interrupt ends"):
        result.get()
    client[3].execute("comm.Barrier()", block=True)
    assert all_are_free()


def check_abort_tells_that_it_is_not_heard() -> None:
    sits_for_the_others(lambda result: result.abort())


def check_interrupt_tells_that_it_is_not_heard() -> None:
    sits_for_the_others(lambda _: client.interrupt([0, 1, 2]))


def where_after(seconds: float) -> int:
    """Take part for so long; the engine."""
    time.sleep(seconds)
    return engine.id


def task_sits(kind: type[Exception], stop: Callable[[Any], object], timeout: float | None = None) -> None:
    """A task that sits in a barrier and does not hear ends, others run, and its engine is free when the others have come."""

    def sit(here: str) -> str:
        from mpikernel import engine

        with open(here, "x") as file:
            file.write(str(engine.id))
        engine.comm.Barrier()
        return "late"

    here, view = os.path.abspath(f"task-{time.monotonic()}"), client.load_balanced_view()
    with view.temp_flags(timeout=timeout):
        result = view.apply_async(sit, here)
    wait_until(lambda: os.path.exists(here) and os.path.getsize(here))
    stop(result)
    with within(SOON), raises(kind, "interrupted, but engine", "sits in engine.comm.Barrier() (stuck.py, line", "which no interrupt ends"):
        result.get()
    assert view.map_sync(abs, range(-50, 0)) == list(range(50, 0, -1)), "tasks go to the engines that are free"
    with within(SOON), raises(CompositeError, "EngineStuckError: it could not begin", "in an earlier task") as caught:
        everybody.apply_sync(abs, -1)
    with open(here) as file:
        busy = int(file.read())
    assert len(caught.error.exceptions) == 1
    client[[number for number in client.ids if number != busy]].execute("comm.Barrier()", block=True)
    assert all_are_free()
    assert set(view.map(where_after, [0.02] * 40, chunksize=1).get()) == {0, 1, 2, 3}, "all take part again"


def check_a_task_that_does_not_hear_abort() -> None:
    task_sits(TaskAborted, lambda result: result.abort())


def check_a_task_that_does_not_hear_that_it_is_late() -> None:
    task_sits(TaskTimeoutError, lambda result: None, timeout=0.5)


def check_nobody_is_given_up_while_none_has_failed() -> None:
    result = client[:3].execute("comm.Barrier(); 'through'", block=False)
    assert not result.wait(5.0)
    client[3].execute("comm.Barrier()", block=True)
    assert result.get() == ["through"] * 3


run_checks(globals())
