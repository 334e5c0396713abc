"""An outbox for tests of reactors: what a reactor wanted sent is taken out, and in the end nothing else may be left.

out = RecordingOutbox()
on_goodbye(state, out, arrival, now)
assert out.take(3) == [Parcel(Leave())]
out.assert_silent()
"""

from __future__ import annotations

from mpikernel.wire.envelope import Parcel
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Message


class RecordingOutbox(Outbox):
    """Keeps what is sent until the test takes it."""

    def take(self, rank: int) -> list[Parcel]:
        """What was to be sent to a rank since the last time, in order."""
        return self.mail.pop(rank, [])

    def take_messages(self, rank: int) -> list[Message]:
        """As `take`, where nobody asks for the frames."""
        return [parcel.message for parcel in self.take(rank)]

    def assert_silent(self) -> None:
        """Nothing else was sent."""
        left = {rank: [parcel.message for parcel in parcels] for rank, parcels in sorted(self.mail.items())}
        assert not left, f"this was sent too, by rank: {left}"
