"""A task that does not hear that it is interrupted ends; its engine is seized until it comes back, and what it brings then is dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mpikernel.engine.cutting import AGAIN, TRIES, Cutter
from mpikernel.engine.giving_up import GivingUp
from mpikernel.engine.namespace import Namespace
from mpikernel.engine.reactor import REACTIONS
from mpikernel.engine.sitting import frame_of
from mpikernel.engine.source import call_of
from mpikernel.engine.state import EngineState
from mpikernel.errors import EngineStuckError, TaskTimeoutError, remote_text
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.failure import rebuild
from mpikernel.wire.messages import Apply, Done, Failed, Interrupt, Message, RunBatch, Seized, Withdraw
from mpikernel.wire.transport import Arrival
from tests.unit.engine.test_batches import Bench as Engine
from tests.unit.engine.test_watching import Comm

CLIENT, TASK = 1, 2
#: An interrupt is asked for, so often in vain, and once more (seconds).
UNHEARD = AGAIN * TRIES


class Bench:
    """An engine whose call sits in a barrier, and hears nothing."""

    def __init__(self) -> None:
        self.state = EngineState(0, 3, "node7")
        self.out = RecordingOutbox()
        self.runner: Any = SimpleNamespace(state=self.state, in_user_code=True, thread=None)
        self.cutter = Cutter(self.runner, lambda: None)
        self.cutter.unheard = GivingUp(self.runner, self.out, lambda owner: (0, 1, 2)).unheard
        self.comm = Comm()

    def react(self, message: Message, sender: int = TASK) -> None:
        frames = [b"function", b"args"] if isinstance(message, Apply | RunBatch) else []
        REACTIONS[type(message)](self.state, self.out, Arrival(sender, message, frames), 100.0)
        self.state.check()

    def begin(self, message: Message, sender: int = TASK) -> None:
        """Its call begins at 100 s."""
        self.react(message, sender)
        assert self.state.begin() is not None
        self.state.call, self.state.since = 1, 100.0

    def sit(self, code: str = "comm.Barrier()") -> None:
        reached, space = threading.Event(), Namespace()
        space.push(("comm", "lock", "reached"), (self.comm, self.comm.lock, reached))
        thread = threading.Thread(target=space.execute, args=(f"reached.set()\n{code}", "<execute 1>"), daemon=True)
        thread.start()
        assert reached.wait(20)
        self.runner.thread = thread.ident
        while not self.there():  # its thread may take a moment to get there
            pass

    def there(self) -> bool:
        frame = frame_of(self.runner.thread)
        return frame is not None and frame.f_lineno == 2 and call_of(frame) is not None

    def pass_time(self, begin: float, end: float) -> None:
        for second in range(int(begin), int(end) + 1):
            self.cutter.tick(float(second))


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.comm.lock.release()


def task(timeout: float = 0.0) -> Apply:
    return Apply(1, CLIENT, b"f", 1, "f", 2, False, timeout)


@pytest.mark.parametrize("wish", [Withdraw((1,), CLIENT, interrupt=True), Interrupt()])
def test_an_aborted_task_ends_and_says_where_its_engine_sits(bench: Bench, wish: Message) -> None:
    bench.begin(task())
    bench.sit()
    bench.react(wish)
    bench.out.take(TASK)
    bench.pass_time(100, 100 + UNHEARD - 1)
    bench.out.assert_silent()
    bench.pass_time(100 + UNHEARD, 100 + 5 * UNHEARD)
    seized, failed = bench.out.take_messages(TASK)
    assert seized == Seized(0, True)
    where = "interrupted, but engine 0 (rank 3 on node7) sits in comm.Barrier() (<execute 1>, line 2), which no interrupt ends"
    assert failed == Failed(2, Done(1, 0, "aborted", 100.0, 100.0 + UNHEARD, "", "", where), False)
    bench.out.assert_silent()


def test_a_late_task_of_a_batch_says_how_late_and_where(bench: Bench) -> None:
    bench.begin(RunBatch(1, 1, CLIENT, b"f", 1, "f", 0, bytes(4 * 2), 2.0))
    bench.sit()
    bench.pass_time(100, 102 + UNHEARD)
    _, (failed, frames, *_) = bench.out.take(TASK)
    assert isinstance(failed, Failed)
    assert (failed.attempt, failed.done.call, failed.done.status) == (1, 1, "error")
    error = rebuild(frames, 0)
    assert isinstance(error, TaskTimeoutError)
    assert str(error).startswith("f took longer than 2 s and was interrupted, but engine 0 sits in comm.Barrier() (<execute 1>, line 2)")
    assert "on engine 0 (rank 3, host node7), in f:\nTraceback" in remote_text(error)


def test_direct_calls_behind_it_are_refused_after_a_moment_if_it_sits_in_mpi(bench: Bench) -> None:
    bench.begin(task())
    bench.sit()
    bench.react(Withdraw((1,), CLIENT, interrupt=True))
    bench.pass_time(100, 100 + UNHEARD)
    bench.react(Apply(7, CLIENT, b"f", 1, "g", 0, False, 0.0), CLIENT)
    bench.pass_time(101 + UNHEARD, 101 + UNHEARD)
    assert not bench.out.take(CLIENT)
    bench.pass_time(102 + UNHEARD, 102 + UNHEARD)
    [(done, frames, *_)] = bench.out.take(CLIENT)
    assert isinstance(done, Done)
    assert (done.call, done.status) == (7, "error")
    error = rebuild(frames, 0)
    assert isinstance(error, EngineStuckError)
    assert "it could not begin: its engine sits in comm.Barrier()" in str(error)
    assert not bench.state.queue


def test_direct_calls_wait_for_c_code_that_works(bench: Bench) -> None:
    bench.begin(task())
    bench.sit("lock.acquire()")
    bench.react(Withdraw((1,), CLIENT, interrupt=True))
    bench.react(Apply(7, CLIENT, b"f", 1, "g", 0, False, 0.0), CLIENT)
    bench.out.take(TASK)
    bench.pass_time(100, 110)
    _, failed = bench.out.take_messages(TASK)
    assert isinstance(failed, Failed)
    assert failed.done.error.endswith("engine 0 (rank 3 on node7) does not hear it in C code (<execute 1>, line 2)")
    bench.out.assert_silent()


def test_neither_direct_calls_nor_what_hears_is_given_up(bench: Bench) -> None:
    bench.begin(Apply(1, CLIENT, b"f", 1, "f", 0, False, 0.0), CLIENT)
    bench.react(Interrupt())
    bench.pass_time(100, 110)
    bench.out.assert_silent()
    bench.state.running = None
    bench.begin(task(timeout=1.0))
    bench.runner.in_this_thread = True
    for second in range(101, 120):
        bench.cutter.tick(float(second))
        assert bench.cutter.land()
    bench.out.assert_silent()


# what it brings later -----------------------------------------------------------------------------------------------------------


#: What functions of this module find when an engine of a test calls them.
ENGINES: list[Engine] = []


def be_given_up(x: int) -> int:
    """The first task is given up while it runs."""
    if x == 0:
        ENGINES[0].state.seized = ENGINES[0].state.call
    return x


def be_given_up_and_raise(x: int) -> None:
    be_given_up(x)
    raise ValueError(x)


@pytest.fixture
def engine() -> Iterator[Engine]:
    ENGINES.append(Engine())
    yield ENGINES[0]
    ENGINES.clear()


def test_what_a_task_brings_that_was_given_up_is_dropped(engine: Engine) -> None:
    engine.batch(be_given_up, [1, 0, 2])
    engine.run()
    assert engine.results()[0] == {10: 1, 12: 2}
    told = [arrival.message for arrival in engine.told(TASK)]
    assert told.count(Seized(4, False)) == 1
    assert engine.state.seized == -1


def test_so_is_what_it_raises(engine: Engine) -> None:
    engine.batch(be_given_up_and_raise, [1, 0, 2])
    engine.run()
    told = [arrival.message for arrival in engine.told(TASK)]
    assert [message.done.call for message in told if isinstance(message, Failed)] == [10, 12]
    assert told.count(Seized(4, False)) == 1
