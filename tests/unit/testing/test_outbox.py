"""The recording outbox and the manual clock: a guard that never bites guards nothing."""

from __future__ import annotations

import pytest

from mpikernel.testing.clock import ManualClock
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.messages import Clear, Keys


def test_what_was_sent_is_taken_once_by_rank_in_order() -> None:
    out = RecordingOutbox()
    out.send(3, Keys(1), [b"frame"])
    out.send(4, Keys(2))
    out.send(3, Clear(3))
    assert out.take(3) == [Parcel(Keys(1), [b"frame"]), Parcel(Clear(3))]
    assert out.take(3) == []
    assert out.take_messages(4) == [Keys(2)]
    out.assert_silent()


def test_what_nobody_took_is_told() -> None:
    out = RecordingOutbox()
    out.send(3, Keys(1))
    with pytest.raises(AssertionError, match=r"this was sent too, by rank: \{3: \[Keys\(call=1\)\]\}"):
        out.assert_silent()


def test_time_passes_when_it_is_told_to() -> None:
    clock = ManualClock(5.0)
    assert (clock(), clock.advance(2.0), clock()) == (5.0, 7.0, 7.0)
    with pytest.raises(ValueError, match="time does not go back"):
        clock.advance(-1.0)
