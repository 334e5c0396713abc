"""An engine has died: its direct calls end with an error, it gets no new ones, and the task interface is told what became of its tasks.

It comes after everything that will ever come of that engine, so what has not ended here will not end there. Only where it had large
frames to pass on to others, down a tree, the world cannot do without it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from mpikernel.client.reactor import on_done
from mpikernel.client.state import Call, ClientState
from mpikernel.errors import EngineDiedError, NoEnginesError, RankDiedError
from mpikernel.ledger.records import ERROR
from mpikernel.wire.failure import describe, one_line
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Done, EngineDied, EngineLost, SharedArea
from mpikernel.wire.transport import Arrival


def on_engine_died(state: ClientState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, EngineDied)
    engine = state.engines.index(message.rank)
    state.lost[engine] = message.reason
    if state.passes_on(message.rank):
        raise RankDiedError(f"{state.obituary(engine)}, with large arrays to pass on to others, who would wait for them for ever")
    state.sent.pop(engine, None)
    state.seized.pop(engine, None)
    calls = [call for call in state.open.values() if not call.is_task and call.engine == engine]
    for call in calls:
        _tell_fellows(state, out, call)
        state.given_up.pop(call.id, None)
        _end(state, out, call, now)
    tasks = array("q", (call.id for call in state.open.values() if call.is_task))
    for batch in state.batches.values():
        tasks.extend(batch.open)
    out.send(state.task, EngineLost(message.rank, message.reason, len(calls), tasks.tobytes()))


def _end(state: ClientState, out: Outbox, call: Call, now: float) -> None:
    error = EngineDiedError(f"{state.obituary(call.engine)}; it had {call.kind} {call.label}".rstrip())
    done = Done(call.id, call.engine, ERROR, 0.0, now, "", "", one_line(error))
    on_done(state, out, Arrival(state.engines[call.engine], done, describe(error, "in the client:")), now)


def _tell_fellows(state: ClientState, out: Outbox, call: Call) -> None:
    """Whoever shares memory with an engine that led waits for word of it."""
    for rank, fellow in state.fellows.pop(call.id, ()):
        if fellow in state.open:
            out.send(rank, SharedArea(fellow, (), 0, 0, 0, 0, state.obituary(call.engine)))


def check_alive(state: ClientState, engines: Iterable[int] = ()) -> None:
    """Refuse what would go to engines that have died; of tasks, where no engine is left.

    Raises:
        EngineDiedError: one of these engines has died; says how.
        NoEnginesError: all have.
    """
    if len(state.lost) == len(state.engines):
        raise NoEnginesError(f"no engine is left: {'; '.join(map(state.obituary, sorted(state.lost)))}")
    for engine in engines:
        if engine in state.lost:
            rest = "client.ids are those that are left: set the view's targets to 'all', or make it anew, as with client[:]"
            raise EngineDiedError(f"{state.obituary(engine)}; {rest}")


REACTIONS = {EngineDied: on_engine_died}
