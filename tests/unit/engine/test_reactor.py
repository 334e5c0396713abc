"""What an engine does about each message, before any user code runs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mpikernel.engine.reactor import REACTIONS
from mpikernel.engine.state import EngineState
from mpikernel.errors import OurProtocolError
from mpikernel.testing.clock import ManualClock
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.messages import (
    Apply,
    CancelCalls,
    Cancelled,
    Clear,
    Done,
    Execute,
    Keys,
    Message,
    Pull,
    Push,
    Withdraw,
    Withdrawn,
)
from mpikernel.wire.transport import Arrival

CLIENT, TASK = 1, 2


class Bench:
    """An engine's state, and messages for it."""

    def __init__(self) -> None:
        self.state = EngineState(0, 3, "here")
        self.out = RecordingOutbox()
        self.clock = ManualClock()

    def react(self, sender: int, message: Message, frames: Sequence[bytes] = ()) -> None:
        REACTIONS[type(message)](self.state, self.out, Arrival(sender, message, frames), self.clock())
        self.state.check()

    def apply(self, sender: int, call: int, carried: bool = True, attempt: int = 0, name: bytes = b"f") -> None:
        frames = [b"function", b"args"] if carried else [b"args"]
        self.react(sender, Apply(call, CLIENT, name, int(carried), "f", attempt, False, 0.0), frames)

    @property
    def queued(self) -> list[int]:
        return [job.command.call for job in self.state.queue]


def test_calls_wait_in_the_order_in_which_they_came() -> None:
    bench = Bench()
    bench.apply(TASK, 5, attempt=1)
    for message in (Execute(6, "1", "<1>", False), Push(7, ("a",)), Pull(8, ("a",), True), Keys(9), Clear(10)):
        bench.react(CLIENT, message, [b"frame"])
    assert bench.queued == [5, 6, 7, 8, 9, 10]
    assert all(list(job.frames) == [b"frame"] for job in list(bench.state.queue)[1:])
    bench.out.assert_silent()


def test_who_gets_the_result() -> None:
    bench = Bench()
    bench.apply(TASK, 1, attempt=1)
    bench.apply(CLIENT, 2)
    bench.react(CLIENT, Keys(3))
    assert [(job.client, job.is_task) for job in bench.state.queue] == [(CLIENT, True), (CLIENT, False), (CLIENT, False)]


def test_a_function_comes_once_and_is_then_named() -> None:
    bench = Bench()
    bench.apply(CLIENT, 1)
    bench.apply(CLIENT, 2, carried=False)
    first, second = bench.state.queue
    assert first.function is second.function
    assert first.function is not None
    assert list(first.function.frames) == [b"function"]
    assert [list(job.frames) for job in (first, second)] == [[b"args"], [b"args"]]


@pytest.mark.parametrize(("sender", "attempt"), [(CLIENT, 1), (TASK, 0)])
def test_each_who_sends_functions_has_a_memory_of_his_own(sender: int, attempt: int) -> None:
    """In a small world client and task interface share a rank, and neither knows what the other has sent."""
    bench = Bench()
    bench.apply(CLIENT, 1)
    with pytest.raises(OurProtocolError, match="was named but never sent"):
        bench.apply(sender, 2, carried=False, attempt=attempt)


def test_cancelling_drops_what_has_not_begun_and_tells_the_rest() -> None:
    bench = Bench()
    for call in (1, 2, 3):
        bench.react(CLIENT, Keys(call))
    bench.state.running = bench.state.queue.popleft()
    bench.react(CLIENT, CancelCalls((1, 3, 99), interrupt=False))
    assert bench.queued == [2]
    aborted = Done(3, 0, "aborted", 0.0, bench.clock(), "", "", "cancelled before it began")
    assert bench.out.take(CLIENT) == [Parcel(aborted), Parcel(Cancelled((3,), (1, 99)))]
    bench.out.assert_silent()


def test_withdrawing_drops_tasks_and_says_for_whom() -> None:
    bench = Bench()
    for task in (1, 2):
        bench.apply(TASK, task, attempt=1)
    bench.react(TASK, Withdraw((2, 7), CLIENT, interrupt=False))
    assert bench.queued == [1]
    assert bench.out.take_messages(TASK) == [Withdrawn((2,), (7,), CLIENT)]
    bench.out.assert_silent()


def test_a_function_that_came_with_a_dropped_call_is_kept() -> None:
    bench = Bench()
    bench.apply(CLIENT, 1)
    bench.react(CLIENT, CancelCalls((1,), interrupt=False))
    bench.apply(CLIENT, 2, carried=False)
    assert bench.queued == [2]


class Counted(int):
    """A call's number that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return int(self) == other

    __hash__ = int.__hash__


def test_dropping_many_calls_takes_few_comparisons_for_each() -> None:
    bench = Bench()
    count = 2_000
    for call in range(count):
        REACTIONS[Keys](bench.state, bench.out, Arrival(CLIENT, Keys(call), ()), bench.clock())
    bench.react(TASK, Withdraw(tuple(Counted(call) for call in range(2 * count)), CLIENT, interrupt=False))
    assert not bench.queued
    assert bench.out.take_messages(TASK) == [Withdrawn(tuple(range(count)), tuple(range(count, 2 * count)), CLIENT)]
    assert Counted.compared <= 10 * count
