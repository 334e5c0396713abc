"""What a client does about each message, without unpickling any of it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence

import pytest

from mpikernel.client.reactor import REACTIONS, record_of, tick
from mpikernel.client.screen import Screen
from mpikernel.client.state import TASKS, Call, Cancelling, ClientState
from mpikernel.client.traffic import Traffic
from mpikernel.ledger.records import ERROR, OK, Record
from mpikernel.testing.clock import ManualClock
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.messages import Cancelled, Done, Message, Note, Output
from mpikernel.wire.notebook import GATHER, Notebook
from mpikernel.wire.transport import Arrival

CONTROLLER, CLIENT, TASK, ENGINES = 0, 1, 2, (3, 4)


class Collecting:
    """Who waits for calls."""

    def __init__(self) -> None:
        self.came: list[Call] = []

    def expecting(self, calls: Sequence[Call]) -> None:
        """Nothing to do."""

    def arrived(self, call: Call) -> None:
        self.came.append(call)


class Bench:
    """A client of two engines."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.out = RecordingOutbox()
        self.later: list[Callable[[], None]] = []
        self.state = ClientState(CLIENT, Notebook(CONTROLLER), TASK, ENGINES, tuple("abcde"), self.later.append, Traffic(1 << 28, 1 << 16))
        self.collector = Collecting()

    def call(self, engine: int, is_task: bool = False) -> Call:
        call = self.state.new_call("apply", "f", engine, 5.0, is_task)
        call.collector = self.collector
        return call

    def react(self, sender: int, message: Message, frames: Sequence[bytes] = ()) -> None:
        REACTIONS[type(message)](self.state, self.out, Arrival(sender, message, frames), self.clock())
        self.state.check()

    def recorded(self) -> tuple[Record, ...]:
        tick(self.state, self.out, self.clock.advance(GATHER))
        return tuple(record for note in self.out.take_messages(CONTROLLER) if isinstance(note, Note) for record in note.records)


def done(call: int, engine: int, status: str = OK, error: str = "") -> Done:
    return Done(call, engine, status, 6.0, 7.0, "", "", error)


def test_an_answer_fills_in_its_call_and_tells_who_waits() -> None:
    bench = Bench()
    call, other = bench.call(0), bench.call(1)
    bench.react(ENGINES[0], done(call.id, 0), [b"no pickle at all"])
    assert (call.done, call.frames, call.received) == (done(call.id, 0), [b"no pickle at all"], bench.clock())
    assert bench.collector.came == [call]
    assert list(bench.state.open) == [other.id]
    assert (other.done, other.failed, other.aborted) == (None, False, False)


def test_a_direct_call_is_written_down_by_the_client_and_a_task_is_not() -> None:
    bench = Bench()
    call, task = bench.call(1), bench.call(-1, is_task=True)
    bench.react(ENGINES[1], done(call.id, 1, ERROR, "ValueError: no"))
    bench.react(ENGINES[0], done(task.id, 0))
    assert bench.recorded() == (Record(call.id, "apply", "f", 1, 4, "e", 5.0, 6.0, 7.0, ERROR, "ValueError: no"),)
    assert task.engine == 0
    bench.out.assert_silent()


def test_a_call_that_has_not_ended_as_a_record() -> None:
    bench = Bench()
    assert record_of(bench.state, bench.call(0)) == Record(0, "apply", "f", 0, 3, "d", 5.0)


def test_a_call_that_was_cancelled_keeps_its_engine() -> None:
    bench = Bench()
    call = bench.call(1)
    bench.react(TASK, done(call.id, -1, "aborted", "cancelled before it began"))
    assert (call.engine, call.aborted, call.failed) == (1, True, False)


@pytest.mark.parametrize("number", [0, 99])
def test_a_second_answer_changes_nothing(number: int) -> None:
    bench = Bench()
    call = bench.call(0)
    bench.react(ENGINES[0], done(call.id, 0))
    bench.react(ENGINES[1], done(number, 1, ERROR))
    assert call.done == done(call.id, 0)
    assert len(bench.collector.came) == 1


def test_what_was_cancelled_is_remembered_for_who_asked() -> None:
    bench = Bench()
    one, other = Cancelling(dict.fromkeys((1, 2, 3))), Cancelling(dict.fromkeys((2, 5)))
    bench.state.cancelling += [one, other]
    bench.react(TASK, Cancelled((1, 2, 4), (3,)))
    assert (one.answers, other.answers) == ({1: True, 2: True, 3: False}, {2: True, 5: None})  # nobody waits to hear about 4
    bench.react(TASK, Cancelled((), (2, 5)))
    assert (one.answers, other.answers) == ({1: True, 2: True, 3: False}, {2: True, 5: False})


def test_each_call_has_a_number_of_its_own() -> None:
    bench = Bench()
    assert [bench.call(0).id for _ in range(4)] == [0, 1, 2, 3]


def test_functions_are_known_to_each_receiver_by_itself() -> None:
    state = Bench().state
    assert [state.knows(receiver, b"f", 1) for receiver in (0, 0, 1, TASKS, 1, TASKS)] == [False, True, False, False, True, True]


# output -----------------------------------------------------------------------------------------------------------------


def test_output_is_shown_after_the_turn_with_the_engines_id(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.react(ENGINES[1], Output(0, 1, "stdout", "one\ntwo"))
    bench.react(ENGINES[0], Output(0, 0, "stderr", "three\n"))
    assert capsys.readouterr() == ("", "")
    for action in bench.later:
        action()
    assert capsys.readouterr() == ("[stdout:1] one\n[stdout:1] two\n", "[stderr:0] three\n")


def test_a_terminal_that_is_gone_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stdout", stream)
        screen = Screen()
        screen.put(Output(0, 0, "stdout", "text\n"))
        screen.show()
        assert not screen.behind
