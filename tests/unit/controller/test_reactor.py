"""The controller: records go to the ledger in groups, and the world ends in order, whoever wants it to."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import pytest

from mpikernel.controller.reactor import REACTIONS, commit_when_due, end_without, lose
from mpikernel.controller.state import ControllerState
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.codec import decode_call, decode_shared
from mpikernel.ledger.memory import MemoryLedger
from mpikernel.ledger.records import OK, Record, Run
from mpikernel.testing.clock import ManualClock
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.messages import SCRIPT_ENDED, EngineDied, Goodbye, Leave, Message, Note, ScriptEnded, Signalled, Stop
from mpikernel.wire.transport import Arrival
from mpikernel.world.exit_codes import BROKEN

SIZE, SCRIPT, GRACE, INTERVAL, MANY = 3, 1, 2.0, 0.05, 4


class Bench:
    """A controller of three ranks with a ledger in memory."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ledger = MemoryLedger()
        self.ledger.begin_run(Run(0, self.clock()))
        self.state = ControllerState(SIZE, self.ledger, INTERVAL, MANY, GRACE, SCRIPT)
        self.out = RecordingOutbox()
        self.tick()

    def react(self, sender: int, message: Message, frames: Sequence[Frame] = ()) -> None:
        REACTIONS[type(message)](self.state, self.out, Arrival(sender, message, frames), self.clock())
        self.state.check()

    def tick(self) -> None:
        commit_when_due(self.state, self.out, self.clock())

    def goodbye(self, *ranks: int) -> None:
        for rank in ranks:
            self.react(rank, Goodbye(rank))

    def everybody_is_told(self, message: Message) -> None:
        for rank in range(SIZE):
            assert self.out.take_messages(rank) == [message]
        self.out.assert_silent()

    @property
    def durable(self) -> list[int]:
        """Tasks that a crash would not lose."""
        return [record.task for _, record in MemoryLedger(dict(self.ledger.rows)).records()]


def note(*tasks: int) -> Note:
    return Note(tuple(Record(task, "apply", "f", status=OK) for task in tasks))


# records ----------------------------------------------------------------------------------------------------------------


def test_records_are_committed_when_the_oldest_has_waited() -> None:
    bench = Bench()
    bench.react(1, note(1, 2))
    bench.tick()
    assert (bench.durable, bench.ledger.pending) == ([], 2)
    bench.clock.advance(INTERVAL / 2)
    bench.react(2, note(3))
    bench.tick()
    assert bench.durable == []
    bench.clock.advance(INTERVAL)
    bench.tick()
    assert (bench.durable, bench.ledger.pending) == ([1, 2, 3], 0)
    bench.out.assert_silent()


def test_an_idle_time_does_not_count_as_waiting() -> None:
    bench = Bench()
    bench.clock.advance(100 * INTERVAL)
    bench.tick()
    bench.react(1, note(1))
    bench.tick()
    assert bench.durable == []


def test_many_records_are_committed_at_once() -> None:
    bench = Bench()
    bench.react(1, note(*range(MANY - 1)))
    bench.tick()
    assert bench.durable == []
    bench.react(1, note(MANY))
    bench.tick()
    assert len(bench.durable) == MANY


def test_what_tasks_call_is_kept_and_what_found_no_memory_is_told() -> None:
    bench = Bench()
    calls = tuple(KeptCall(task, 1, b"f", "f", b"", parts=parts) for task, parts in ((1, 2), (2, 1), (3, 0)))
    frames = [b"code", b"pickle", b"buffer", Missing(b"no memory")]
    bench.react(2, Note((), (), (KeptShared(b"f", 4, 1),), calls), frames)
    bench.ledger.commit()
    data = bench.ledger.shared(1, b"f")
    assert data is not None
    assert decode_shared(data)[1] == [b"code"]
    kept = [decode_call(row.data) for row in bench.ledger.calls(1, [1, 2, 3])]
    assert [(call.first, call.parts, frames) for call, frames in kept] == [(1, 2, [b"pickle", b"buffer"]), (2, 0, []), (3, 0, [])]


# the end ----------------------------------------------------------------------------------------------------------------


def test_the_script_ends() -> None:
    bench = Bench()
    bench.react(1, ScriptEnded(3))
    bench.everybody_is_told(Stop(3, "the script ended"))
    assert bench.state.missing == [0, 1, 2]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_a_signal_ends_it(signum: signal.Signals, code: int) -> None:
    bench = Bench()
    bench.react(2, Signalled(signum))
    bench.everybody_is_told(Stop(code, f"{signum.name} came to rank 2"))


def test_the_first_reason_counts() -> None:
    bench = Bench()
    bench.react(1, ScriptEnded(0))
    bench.everybody_is_told(Stop(0, "the script ended"))
    bench.react(2, Signalled(signal.SIGTERM))
    bench.react(1, ScriptEnded(1))
    bench.out.assert_silent()
    assert bench.state.code == 0


def test_everybody_says_goodbye_then_the_run_ends_then_everybody_leaves() -> None:
    bench = Bench()
    bench.react(1, note(1))
    bench.react(1, ScriptEnded(3))
    bench.everybody_is_told(Stop(3, "the script ended"))
    bench.goodbye(2, 0)
    bench.out.assert_silent()
    assert bench.state.missing == [1]
    bench.react(1, note(2))
    assert bench.ledger.runs()[0].ended == 0.0
    bench.clock.advance(1.0)
    bench.goodbye(1)
    bench.everybody_is_told(Leave())
    [run] = MemoryLedger(dict(bench.ledger.rows)).runs()
    assert (run.exit_code, run.ended) == (3, bench.clock())
    assert bench.durable == [1, 2]
    assert bench.state.missing == []


def test_what_comes_after_the_end_of_the_run_changes_nothing() -> None:
    bench = Bench()
    bench.react(1, ScriptEnded(0))
    bench.goodbye(0, 1, 2)
    bench.out.mail.clear()
    bench.react(1, note(9))
    bench.goodbye(1)
    bench.react(2, Signalled(signal.SIGINT))
    bench.tick()
    bench.out.assert_silent()
    assert bench.durable == []


def test_whoever_does_not_stop_within_the_grace_is_known() -> None:
    bench = Bench()
    assert not bench.state.overdue(bench.clock.advance(100 * GRACE))
    assert bench.state.missing == []
    bench.react(1, ScriptEnded(0))
    bench.goodbye(0)
    assert not bench.state.overdue(bench.clock.advance(GRACE))
    assert bench.state.overdue(bench.clock.advance(0.01))
    assert bench.state.missing == [1, 2]
    bench.goodbye(1, 2)
    assert not bench.state.overdue(bench.clock())


def test_a_goodbye_that_nobody_asked_for_is_found() -> None:
    with pytest.raises(AssertionError, match="stopped although nobody told them to"):
        Bench().goodbye(1)


def test_an_engine_that_died_is_not_waited_for_and_the_client_is_told() -> None:
    bench = Bench()
    lose(bench.state, bench.out, 2, "killed", bench.clock())
    bench.state.check()
    assert bench.out.take_messages(SCRIPT) == [EngineDied(2, "killed")]
    bench.react(1, ScriptEnded(0))
    assert [bench.out.take_messages(rank) for rank in (0, 1, 2)] == [[Stop(0, SCRIPT_ENDED)], [Stop(0, SCRIPT_ENDED)], []]
    bench.goodbye(0, 1)
    assert [bench.out.take_messages(rank) for rank in (0, 1, 2)] == [[Leave((2,))], [Leave((2,))], []]


def test_an_engine_that_dies_while_it_should_stop_holds_nobody_up() -> None:
    bench = Bench()
    bench.react(1, ScriptEnded(0))
    bench.goodbye(0, 1)
    bench.out.mail.clear()
    lose(bench.state, bench.out, 2, "killed", bench.clock())
    bench.state.check()
    assert bench.state.left
    assert Leave((2,)) in bench.out.take_messages(0)


def test_without_a_rank_that_is_needed_the_world_ends() -> None:
    bench = Bench()
    end_without(bench.state, bench.out, SCRIPT, "rank 1 died", bench.clock())
    bench.state.check()
    assert bench.out.take_messages(2) == [Stop(BROKEN, "rank 1 died")]
    bench.goodbye(0, 2)
    assert bench.state.left
