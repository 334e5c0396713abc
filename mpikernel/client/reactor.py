"""What a client does about each message: fill in calls, tell their collectors, have output shown. It unpickles nothing here."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from mpikernel.client.pickled import Pickled
from mpikernel.client.singles import end_singles, send_singles
from mpikernel.client.state import TASKS, Call, ClientState, Part
from mpikernel.client.terms import bring_recovery
from mpikernel.ledger.records import Record
from mpikernel.wire.envelope import Frame
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Cancelled, Described, Done, DoneBatch, Lost, Message, Output, Seized
from mpikernel.wire.payload import size
from mpikernel.wire.transport import Arrival


def on_done(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    done = arrival.message
    assert isinstance(done, Done)
    call = state.open.pop(done.call, None) or state.take_from_batch(done.call)
    if call is None:  # ended before: it was given up, or a task that was run twice
        _set_free(state, out, done)
        return
    done, frames = _as_refused(state, done, arrival.frames) if state.refused else (done, arrival.frames)
    collector = call.end(done, frames, now)
    if call.weight:
        state.traffic.under_way[call.receiver] -= call.weight
    state.tally.ended(call)
    if not call.is_task:
        state.notes.write(record_of(state, call), now)
    gathering = state.gathers.pop(call.id, None)
    if gathering is not None:
        gathering.ended(call)
    else:
        call.held = state.traffic.hold(call.frames)
    if collector is not None:
        collector.arrived(call)


def _set_free(state: ClientState, out: Outbox, done: Done) -> None:
    """If it is the call that its engine sat in, the engine has come back."""
    if state.seized.get(done.engine) == done.call:
        del state.seized[done.engine]
        out.send(state.task, Seized(done.engine, False))


def _as_refused(state: ClientState, done: Done, frames: Sequence[Frame]) -> tuple[Done, Sequence[Frame]]:
    """How a call ended: one that was dropped because it was refused has failed; one that had begun before has ended as it did."""
    refusal = state.refused.pop(done.call, None)
    if refusal is None or done.status != "aborted":
        return done, frames
    return structs.replace(done, status="error", error=refusal.error), refusal.frames


def on_done_batch(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    done = arrival.message
    assert isinstance(done, DoneBatch)
    batch = state.batches.get(done.batch)
    if batch is None:
        end_singles(state, done, arrival.frames[0], now)
        return
    part = Part(done, arrival.frames[0], batch, now)
    state.close_in_batch(done.batch, part.numbers)
    state.tally.ended_well(done.engine, part.numbers)
    batch.collector.part_arrived(part)


def on_described(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Described)
    call = arrival.message.call
    state.gathers[call].described(state.open[call], arrival.frames)


def place_of(state: ClientState, sender: int, message: Message, sizes: Sequence[int]) -> Sequence[memoryview] | None:
    """Where the large frames of a result are to land: in the array that a gather has made for them, else anywhere."""
    assert isinstance(message, Done)
    gathering = state.gathers.get(message.call)
    return gathering.place(message.call, sizes) if gathering is not None else None


def on_lost(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    """A function, or an argument, has to be sent again when it is next needed there."""
    lost = arrival.message
    assert isinstance(lost, Lost)
    receiver = TASKS if lost.tasks else state.engines.index(arrival.sender)
    if receiver in state.sent:
        state.sent[receiver].lost(lost.name)
    if lost.tasks:
        state.repeats.sent.lost(lost.name)


def record_of(state: ClientState, call: Call) -> Record:
    """How a direct command stands, for the ledger. Tasks are recorded by the task interface."""
    rank = state.engines[call.engine]
    done = call.done
    if done is None:
        return Record(call.id, call.kind, call.label, call.engine, rank, state.hosts[rank], call.submitted)
    times = (call.submitted, done.started, done.completed)
    return Record(call.id, call.kind, call.label, call.engine, rank, state.hosts[rank], *times, done.status, done.error)


def on_cancelled(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Cancelled)
    for calls, dropped in ((arrival.message.dropped, True), (arrival.message.kept, False)):
        for asked in state.cancelling:
            asked.hear(calls, dropped)
    for call in state.given_up.keys() & set(arrival.message.kept) if state.given_up else ():
        _end_given_up(state, out, state.given_up.pop(call), now)


def _end_given_up(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    """The engine of a call that is given up will interrupt it, whenever that comes back: here it ends now, unless it has come back."""
    done = arrival.message
    assert isinstance(done, Done)
    if done.call in state.open:
        state.seized[done.engine] = done.call
        out.send(state.task, Seized(done.engine, True))
        on_done(state, out, arrival, now)


def on_output(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Output)
    state.screen.put(arrival.message)
    state.afterwards(state.screen.show)


def tick(state: ClientState, out: Outbox, now: float) -> None:
    """Let calls leave that wait for others, and records go to the controller when it is time."""
    let_singles_leave(state, out)
    state.notes.send_when_due(out, now)


def let_singles_leave(state: ClientState, out: Outbox) -> None:
    """Send the tasks that have been submitted one by one, if there are any."""
    function = state.singles.function
    if state.singles.pickles and function is not None:
        bring_recovery(state, out, TASKS, state.singles.terms)
        send_singles(state, out, carried(state, TASKS, function))


def carried(state: ClientState, receiver: int, function: Pickled) -> int:
    """How many frames of a function go with the message that is sent now: all or, where it is known, none."""
    return 0 if state.knows(receiver, function.digest, size(function.frames)) else len(function.frames)


REACTIONS = {
    Done: on_done,
    DoneBatch: on_done_batch,
    Described: on_described,
    Lost: on_lost,
    Cancelled: on_cancelled,
    Output: on_output,
}
PLACES = {Done: place_of}
