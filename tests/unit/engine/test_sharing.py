"""An engine that leads a push to shared memory: what it could not receive is an error for all, never their data."""

from __future__ import annotations

import numpy
import pytest

from mpikernel.engine.sharing import on_push_shared, on_shared_area
from mpikernel.engine.state import EngineState
from mpikernel.errors import SerializeError
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import PushShared
from mpikernel.wire.payload import dump, load
from mpikernel.wire.transport import Arrival

LEADER, FELLOW = 3, 4
VALUE = (numpy.arange(1000.0), "text")


def shared(frames: list[Frame]) -> list[object]:
    """What the leader and its fellow make of a push that came with these frames."""
    sizes = tuple(len(frame) if index else 0 for index, frame in enumerate(dump(VALUE)))
    leader, fellow = EngineState(0, LEADER, "other"), EngineState(1, FELLOW, "other")
    push = PushShared(1, ("x",), sizes, True, (FELLOW,), (2,))
    out, values = Outbox(), []
    on_push_shared(leader, out, Arrival(1, push, frames), 0.0)
    for state, call in ((leader, 1), (fellow, 2)):
        (told,) = out.mail[state.rank]
        on_shared_area(state, out, Arrival(LEADER, told.message, ()), 0.0)
        try:
            values.append(load(state.sharing.take(PushShared(call, ("x",), sizes, False, (), ()), frames[:1])))
        except SerializeError as error:
            values.append(error)
    return values


def test_what_came_is_shared() -> None:
    for array, text in shared(list(dump(VALUE))):
        assert (array == VALUE[0]).all()
        assert text == VALUE[1]


@pytest.mark.parametrize("missing", [0, 1])
def test_what_there_was_no_memory_for_is_an_error_for_all(missing: int) -> None:
    frames = list(dump(VALUE))
    frames[missing] = Missing(b"no memory for a buffer")
    texts = [str(error) for error in shared(frames) if isinstance(error, SerializeError)]
    assert texts == ["what was to be shared could not be received: no memory for a buffer"] * 2
