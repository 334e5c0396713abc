"""An engine's part in pushes to shared memory: find what its host shares, and lead where nobody else on the host has the frames.

The client shares with the engines of its own host. On any other host the first target leads: its large frames land in memory that it
shares, and it tells the others where. All map it read-only, the leader too; nothing here copies, and nothing here runs user code.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpikernel.arrays.shared_memory import Area, Place, attach, offsets
from mpikernel.engine.state import EngineState, Job
from mpikernel.errors import SerializeError
from mpikernel.wire.envelope import Frame
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Message, PushShared, SharedArea, Unshare
from mpikernel.wire.payload import all_there
from mpikernel.wire.transport import Arrival

NOWHERE = Place(0, 0, 0, 0)


def on_shared_area(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    """Map what is shared at once: who shares it need not wait until the push has its turn."""
    message = arrival.message
    assert isinstance(message, SharedArea)
    if message.call in state.sharing.unwanted:
        state.sharing.unwanted.remove(message.call)
        return
    state.sharing.found[message.call] = _found(message)


def _found(message: SharedArea) -> Sequence[Frame] | SerializeError:
    if message.error:
        return SerializeError(message.error)
    try:
        return attach(Place(message.pid, message.descriptor, message.device, message.inode), message.sizes)
    except SerializeError as error:
        return error


def place_of(state: EngineState, sender: int, message: Message, sizes: Sequence[int]) -> Sequence[memoryview] | None:
    """Where the large frames of a push land: in memory to be shared, if this engine leads."""
    assert isinstance(message, PushShared)
    shared = [size for size in message.sizes if size]
    if shared != list(sizes):
        return None
    try:
        area = Area(offsets(shared)[-1])
        places = area.landing(shared)
    except SerializeError as error:
        state.sharing.found[message.call] = error
        return None
    state.sharing.made[message.call] = area
    return places


def on_push_shared(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, PushShared)
    if message.leads:
        told = _lead(state, message, frames)
        for rank, call in zip((state.rank, *message.fellows), (message.call, *message.calls), strict=True):
            out.send(rank, SharedArea(call, *told))
        frames = [frame for frame, size in zip(frames, message.sizes, strict=True) if not size]
    state.queue.append(Job(message, arrival.sender, frames, None))


def _lead(state: EngineState, message: PushShared, frames: Sequence[Frame]) -> tuple[tuple[int, ...], int, int, int, int, str]:
    """What to tell those who share: the fields of a SharedArea after its call."""
    sizes = tuple(size for size in message.sizes if size)
    refused = state.sharing.found.pop(message.call, None)
    try:
        if isinstance(refused, SerializeError):
            raise refused
        all_there(frames, "what was to be shared")
        if message.call not in state.sharing.made:  # they were not large for the transport, and came like any others
            area = Area(offsets(sizes)[-1])
            area.write([frame for frame, size in zip(frames, message.sizes, strict=True) if size])
            state.sharing.made[message.call] = area
    except SerializeError as error:
        return sizes, *NOWHERE, str(error)
    return sizes, *state.sharing.made[message.call].place, ""


def on_unshare(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    """Let go of what this engine shared; who has it mapped keeps it."""
    assert isinstance(arrival.message, Unshare)
    state.sharing.made.pop(arrival.message.call, None)


REACTIONS = {SharedArea: on_shared_area, PushShared: on_push_shared, Unshare: on_unshare}
PLACES = {PushShared: place_of}
