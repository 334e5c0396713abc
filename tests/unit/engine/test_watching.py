"""What an engine says it is doing, while a call of its may sit in MPI."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mpikernel.engine.namespace import Namespace
from mpikernel.engine.reactor import on_command
from mpikernel.engine.state import EngineState
from mpikernel.engine.watching import Doing, Watcher, on_where
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.messages import Execute, There, Where
from mpikernel.wire.sitting import COLLECTIVE, Waits
from mpikernel.wire.transport import Arrival

CLIENT = 1


class Comm:
    """Its Barrier is a function in C that waits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()
        self.Barrier = self.lock.acquire


Comm.__module__ = "mpi4py.MPI"


class Bench:
    """An engine whose call sits in a barrier."""

    def __init__(self) -> None:
        self.state = EngineState(0, 3, "node7")
        self.runner: Any = SimpleNamespace(state=self.state, in_user_code=True, thread=None)
        self.signs = 0
        self.heard = True
        self.ids: Any = lambda owner: (0, 1, 2)
        self.watcher = Watcher(self.runner, self.ask, lambda owner: self.ids(owner))
        self.comm = Comm()

    def ask(self) -> bool:
        self.signs += 1
        return self.heard

    def sit(self) -> None:
        reached = threading.Event()
        space = Namespace()
        space.push(("comm", "reached"), (self.comm, reached))
        thread = threading.Thread(target=space.execute, args=("reached.set()\ncomm.Barrier()", "<execute 1>"), daemon=True)
        thread.start()
        assert reached.wait(20)
        self.runner.thread, self.state.call, self.state.since = thread.ident, 4, 90.0


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.sit()
    yield bench
    bench.comm.lock.release()


def look_until_it_sits(bench: Bench, now: float) -> Any:
    """Its thread may take a moment to get there."""
    for _ in range(10_000):
        sitting = bench.watcher.look(now)
        if sitting is not None:
            return sitting
    return None


def test_a_call_sits_where_it_was_before(bench: Bench) -> None:
    assert bench.watcher.look(100.0) is None, "it may be passing through"
    sitting = look_until_it_sits(bench, 101.5)
    assert (sitting.what, sitting.place, sitting.began, sitting.seconds) == ("comm.Barrier()", "<execute 1>, line 2", 90.0, 1.5)
    assert sitting.waits == Waits("Barrier", COLLECTIVE, (1, 2), each=True, sure=True)
    assert "comm.Barrier()" in sitting.trace
    assert bench.signs == 1
    later = bench.watcher.look(110.0)
    assert later is not None
    assert later.seconds == 10.0


def test_a_call_that_came_back_to_python_begins_anew(bench: Bench) -> None:
    bench.watcher.look(100.0)
    assert look_until_it_sits(bench, 101.0) is not None
    bench.watcher.alive()
    assert bench.watcher.look(102.0) is None
    assert bench.watcher.look(103.0).seconds == 1.0  # type: ignore[union-attr]  # it sits
    assert bench.signs == 2


def test_another_call_begins_anew(bench: Bench) -> None:
    bench.watcher.look(100.0)
    bench.state.call = 5
    assert bench.watcher.look(101.0) is None
    assert look_until_it_sits(bench, 102.0).seconds == 1.0


def test_without_a_sign_nothing_is_known(bench: Bench) -> None:
    bench.heard = False
    assert [bench.watcher.look(now) for now in (100.0, 101.0, 102.0)] == [None] * 3


def test_out_of_user_code_nothing_sits(bench: Bench) -> None:
    bench.watcher.look(100.0)
    assert look_until_it_sits(bench, 101.0) is not None
    bench.runner.in_user_code = False
    assert bench.watcher.look(102.0) is None
    bench.runner.in_user_code = True
    assert bench.watcher.look(103.0) is None


def test_objects_that_fail_when_they_are_looked_at_are_no_trouble(bench: Bench) -> None:
    def fail(owner: object) -> Any:
        raise ZeroDivisionError

    bench.ids = fail
    assert [bench.watcher.look(now) for now in (100.0, 101.0, 102.0)] == [None] * 3


def test_the_answer() -> None:
    state, out, looked = EngineState(0, 3, "node7"), RecordingOutbox(), list[float]()
    doing = Doing(state, looked.append)  # type: ignore[arg-type]  # it sees nothing
    on_where(doing, out, Arrival(CLIENT, Where(7), ()), 5.0)
    assert out.take_messages(CLIENT) == [There(7, -1, True, None)]
    assert looked == []
    for call in (8, 9):
        on_command(state, out, Arrival(CLIENT, Execute(call, "1", "<execute 1>", False), ()), 6.0)
    assert state.begin() is not None
    on_where(doing, out, Arrival(CLIENT, Where(8), ()), 6.0)
    assert out.take_messages(CLIENT) == [There(8, 8, False, None)]
    assert looked == [6.0]
    out.assert_silent()
