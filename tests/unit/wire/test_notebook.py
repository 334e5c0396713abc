"""Records are gathered for a moment, the latest of each call, and then sent together."""

from __future__ import annotations

from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.records import OK, SUBMITTED, Record
from mpikernel.testing.clock import ManualClock
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.messages import Note
from mpikernel.wire.notebook import GATHER, MOST, Notebook


def record(task: int, status: str = SUBMITTED) -> Record:
    return Record(task, "apply", "f", status=status)


def test_they_are_sent_together_when_the_oldest_has_waited() -> None:
    notes, out, clock = Notebook(7), RecordingOutbox(), ManualClock()
    notes.write(record(1), clock())
    notes.write(record(2), clock.advance(GATHER / 2))
    notes.send_when_due(out, clock())
    out.assert_silent()
    notes.send_when_due(out, clock.advance(GATHER))
    assert out.take_messages(7) == [Note((record(1), record(2)))]
    notes.send_when_due(out, clock.advance(GATHER))
    out.assert_silent()


def test_the_time_of_the_next_ones_begins_anew() -> None:
    notes, out, clock = Notebook(0), RecordingOutbox(), ManualClock()
    notes.write(record(1), clock())
    notes.send(out)
    notes.write(record(2), clock.advance(10 * GATHER))
    notes.send_when_due(out, clock())
    assert out.take_messages(0) == [Note((record(1),))]
    out.assert_silent()


def test_many_are_sent_at_once() -> None:
    notes, out, clock = Notebook(0), RecordingOutbox(), ManualClock()
    for task in range(MOST):
        notes.send_when_due(out, clock())
        out.assert_silent()
        notes.write(record(task), clock())
    notes.send_when_due(out, clock())
    [note] = out.take_messages(0)
    assert isinstance(note, Note)
    assert [each.task for each in note.records] == list(range(MOST))


def test_the_latest_record_of_a_call_counts() -> None:
    notes, out, clock = Notebook(0), RecordingOutbox(), ManualClock()
    notes.write(record(1), clock())
    notes.write(record(2), clock())
    notes.write(record(1, OK), clock())
    notes.send(out)
    assert out.take_messages(0) == [Note((record(1, OK), record(2)))]


def test_what_tasks_call_goes_along_with_its_frames() -> None:
    notes, out, clock = Notebook(7), RecordingOutbox(), ManualClock()
    call, shared = KeptCall(3, 1, b"f", "f", b"", parts=2), KeptShared(b"f", 4, 1)
    notes.keep_call(call, [b"pickle", b"buffer"], clock())
    notes.keep_shared(shared, [b"code"], clock.advance(GATHER / 2))
    notes.write(record(3), clock())
    notes.send_when_due(out, clock.advance(GATHER))
    assert out.take(7) == [Parcel(Note((record(3),), (), (shared,), (call,)), [b"code", b"pickle", b"buffer"])]
    notes.send(out)
    out.assert_silent()
