"""Interrupting a call: which, when, how often, and what it then ends with."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mpikernel.engine.cutting import AGAIN, Cutter, is_due, wanted
from mpikernel.engine.output import Output
from mpikernel.engine.reactor import REACTIONS
from mpikernel.engine.runner import Runner
from mpikernel.engine.service import host_engine
from mpikernel.engine.state import CANCELLED, INTERRUPTED, TIMEOUT, Cut, EngineState
from mpikernel.errors import RemoteError, TaskReject, TaskTimeoutError, remote_text
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.envelope import Frame, Parcel
from mpikernel.wire.failure import rebuild
from mpikernel.wire.loop import Loop
from mpikernel.wire.loopback import LoopbackTransport
from mpikernel.wire.messages import Apply, CancelCalls, Done, Failed, Interrupt, Keys, Message, RunBatch, Withdraw
from mpikernel.wire.payload import dump
from mpikernel.wire.transport import Arrival

ENGINE, CLIENT, TASK = 0, 1, 2

# what the state says ---------------------------------------------------------------------------------------------------------


def react(state: EngineState, message: Message, frames: Sequence[Frame] = (), sender: int = CLIENT) -> None:
    REACTIONS[type(message)](state, RecordingOutbox(), Arrival(sender, message, frames), 0.0)
    state.check()


def running(*calls: int, timeout: float = 0.0) -> EngineState:
    """An engine that has begun the first of these calls at 100 s."""
    state = EngineState(0, ENGINE, "here")
    for call in calls:
        react(state, Apply(call, CLIENT, b"f", 1, "f", 0, False, timeout), [b"function", b"args"])
    assert state.begin() is not None
    state.call, state.since = calls[0], 100.0
    return state


def why(state: EngineState, now: float = 100.5) -> str | None:
    cut = wanted(state, now)
    assert cut is None or cut.call == state.call
    return cut.why if cut is not None else None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (CancelCalls((1,), interrupt=True), CANCELLED),
        (Withdraw((1,), CLIENT, interrupt=True), CANCELLED),
        (Interrupt(), INTERRUPTED),
        (CancelCalls((1,), interrupt=False), None),
        (CancelCalls((2,), interrupt=True), None),
    ],
)
def test_what_runs_is_interrupted_if_somebody_says_so(message: Message, reason: str | None) -> None:
    state = running(1, 2)
    react(state, message)
    assert why(state) == reason
    state.running = None
    assert why(state) is None


def test_the_next_call_is_not_interrupted_in_its_place() -> None:
    for message in (CancelCalls((1,), interrupt=True), Interrupt()):
        state = running(1, 2)
        react(state, message)
        assert wanted(state, 100.5) is not None
        state.begin()
        state.call = 2
        assert why(state) is None


def test_a_call_that_has_been_taken_and_not_begun_is_interrupted_as_soon_as_it_has() -> None:
    state = running(1)
    state.call = -1
    react(state, Interrupt())
    assert why(state) is None
    state.call = 1
    assert why(state) == INTERRUPTED


def test_of_a_batch_only_the_tasks_that_are_meant() -> None:
    state = EngineState(0, ENGINE, "here")
    ends = memoryview(bytes(4 * 3)).tobytes()
    react(state, RunBatch(10, 10, CLIENT, b"f", 1, "f", 0, ends, 2.0), [b"function", b"data"], TASK)
    batch = state.begin()
    assert batch is not None
    state.call, state.since = 10, 100.0
    batch.pending.popleft()  # type: ignore[attr-defined]  # it is one of a batch
    react(state, Withdraw((10, 12), CLIENT, interrupt=True), sender=TASK)
    assert why(state) == CANCELLED
    state.call = 11
    assert why(state) is None
    assert why(state, 102.0) == TIMEOUT


def test_a_limit_of_time_holds_for_each_run() -> None:
    state = running(1, timeout=1.5)
    assert [why(state, now) for now in (100.0, 101.4, 101.5, 200.0)] == [None, None, TIMEOUT, TIMEOUT]
    assert why(running(1), 1e6) is None


def test_that_a_call_is_cancelled_outdoes_the_rest() -> None:
    state = running(1, timeout=1.0)
    react(state, Interrupt())
    assert [why(state), why(state, 101.0)] == [INTERRUPTED, TIMEOUT]
    react(state, CancelCalls((1,), interrupt=True))
    react(state, Interrupt())
    assert why(state, 102.0) == CANCELLED


def test_how_often() -> None:
    once = Cut(1, INTERRUPTED, tries=1, asked=100.0)
    assert not is_due(once, 100.0 + AGAIN / 2)
    assert is_due(once, 100.0 + AGAIN)
    once.raised = True
    assert not is_due(once, 200.0)
    again = Cut(1, CANCELLED, tries=1, asked=100.0, raised=True)
    assert is_due(again, 100.0 + AGAIN)


# calls that run ----------------------------------------------------------------------------------------------------------------


class Bench:
    """An engine at work, and a client and a task interface to whom it answers."""

    def __init__(self, folder: Path) -> None:
        world: dict[int, LoopbackTransport] = {}
        self.loop = Loop(LoopbackTransport(ENGINE, 3, world, 1 << 16))
        self.others = {rank: LoopbackTransport(rank, 3, world, 1 << 16) for rank in (CLIENT, TASK)}
        self.runner = Runner(EngineState(4, ENGINE, "node7"), self.loop, Output(str(folder), 4, always=False))
        host_engine(self.loop, self.runner)
        main = threading.main_thread().ident
        assert main is not None
        self.cutter = Cutter(self.runner, lambda: signal.pthread_kill(main, signal.SIGURG))
        self.loop.host(self.cutter, {}, lambda _cutter, _out, now: self.cutter.tick(now))

    def land(self, signum: int, frame: FrameType | None) -> None:
        if self.cutter.land():
            raise KeyboardInterrupt

    def run(self, function: Any, *args: Any, meanwhile: Message | None = None, timeout: float = 0.0, task: bool = False) -> Any:
        """Run a call, which gets a message while it runs; the answer to whoever is told first."""
        frames, sender = dump(function), TASK if task else CLIENT
        message = Apply(1, CLIENT, b"name", len(frames), "f", int(task), False, timeout)
        self.others[sender].post(ENGINE, [Parcel(message, [*frames, *dump((args, {}))])])
        self.loop.turn()
        if meanwhile is not None:
            self._post_when_it_runs(meanwhile, sender)
        assert self.runner.run_next()
        return next(arrival for arrival in self.others[sender].poll() if isinstance(arrival.message, Done | Failed))

    def _post_when_it_runs(self, message: Message, sender: int) -> None:
        def post() -> None:
            while not self.runner.in_user_code:
                time.sleep(1e-3)
            self.others[sender].post(ENGINE, [Parcel(message)])

        threading.Thread(target=post, daemon=True).start()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    before = signal.signal(signal.SIGURG, made.land)
    made.loop.start_attendant()
    yield made
    made.loop.close()
    signal.signal(signal.SIGURG, before)


def wait_long() -> None:
    threading.Event().wait(20)


def clean_up() -> str:
    try:
        threading.Event().wait(20)
    except KeyboardInterrupt:
        return "cleaned up"
    return "waited"


def refuse() -> None:
    raise TaskReject("no GPU here")


def test_a_cancelled_call_ends_as_aborted(bench: Bench) -> None:
    done, frames = bench.run(wait_long, meanwhile=CancelCalls((1,), interrupt=True))[1:]
    assert (done.status, list(frames)) == ("aborted", [])
    assert done.error.startswith("interrupted after 0.")


def test_a_cancelled_task_is_reported_to_the_task_interface(bench: Bench) -> None:
    failed = bench.run(wait_long, meanwhile=Withdraw((1,), CLIENT, interrupt=True), task=True).message
    assert (failed.attempt, failed.done.status, failed.rejected) == (1, "aborted", False)


def test_a_call_that_returns_all_the_same_has_its_value(bench: Bench) -> None:
    assert bench.run(clean_up, meanwhile=CancelCalls((1,), interrupt=True)).message.status == "ok"


def test_what_a_client_interrupts_fails_as_if_it_had_raised_that_itself(bench: Bench) -> None:
    done, frames = bench.run(wait_long, meanwhile=Interrupt())[1:]
    assert (done.status, done.error) == ("error", "KeyboardInterrupt")
    error = rebuild(frames, 4)
    assert isinstance(error, RemoteError)
    assert "wait_long" in remote_text(error)


def test_a_call_that_takes_too_long_says_what_where_and_how_long(bench: Bench) -> None:
    arrival = bench.run(wait_long, timeout=0.05, task=True)
    error = rebuild(arrival.frames, 4)
    assert isinstance(error, TaskTimeoutError)
    assert str(error) == "f was interrupted on engine 4: it took longer than 0.05 s"
    assert "wait_long" in remote_text(error)


def test_a_task_may_reject_its_engine(bench: Bench) -> None:
    failed = bench.run(refuse, task=True).message
    assert (failed.rejected, failed.done.status, failed.done.error) == (True, "error", "TaskReject: no GPU here")
    assert bench.run(refuse).message.status == "error"


def test_nothing_is_raised_where_nothing_is_to_be_interrupted(bench: Bench) -> None:
    react(bench.runner.state, Keys(1))
    assert not bench.cutter.land()
    react(bench.runner.state, Interrupt())
    bench.cutter.tick(0.0)
    assert not bench.cutter.land()
