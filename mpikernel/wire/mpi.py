"""The transport over MPI: envelopes on `mail`, large frames on `bulk`, what is urgent on `control`.

Large frames go from the memory in which they live and are received into the memory in which they stay, in pieces of CHUNK
bytes: not every MPI has large counts, and some copy all that has been posted inside one call, which must not take long.
So the receiver posts a few pieces at a time. One thread at a time calls in here. Receiving mail is Iprobe + Recv: matched
probes are broken on some fabrics, and with one receiving thread they are not needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mpi4py import MPI

from mpikernel.wire.envelope import Frame, Opened, Parcel, open_envelope, seal, split
from mpikernel.wire.landing import Runway
from mpikernel.wire.loopback import copied
from mpikernel.wire.messages import URGENT
from mpikernel.wire.transport import Arrival, Rooms, landing_places

#: Bytes in one MPI send of a large frame, and how many of them a receiver takes at a time from one sender.
CHUNK = 1 << 25
WINDOW = 4
#: Small frames in one envelope (bytes); larger mail is cut, so that receiving one never takes long.
MAIL = 1 << 16
#: Envelopes taken in one poll, so that a flood does not keep a rank from reacting.
AT_ONCE = 64
TAG = 0


class MpiTransport:
    """See `mpikernel.wire.transport` for the promise."""

    def __init__(self, mail: MPI.Intracomm, bulk: MPI.Intracomm, control: MPI.Intracomm, threshold: int) -> None:
        self.rank = mail.Get_rank()
        self.size = mail.Get_size()
        self._mail, self._bulk, self._control = mail, bulk, control
        self.rooms: Rooms | None = None
        self._threshold = threshold
        self._status = MPI.Status()
        self._sending: list[MPI.Request] = []  # envelopes that have not left
        self._sending_bulk: list[MPI.Request] = []  # large frames that have not left
        self._runway = Runway()
        self._own: deque[Arrival] = deque()  # posted to this rank itself

    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        if rank == self.rank:
            self._own.extend(copied(rank, parcels, self._threshold, self.rooms))
            return
        urgent = [parcel for parcel in parcels if type(parcel.message) in URGENT]
        if urgent:
            self._send(self._control, rank, urgent)
            parcels = [parcel for parcel in parcels if type(parcel.message) not in URGENT]
        for row in split(parcels, self._threshold, MAIL) if parcels else ():
            self._send(self._mail, rank, row)

    def _send(self, comm: MPI.Intracomm, rank: int, parcels: Sequence[Parcel]) -> None:
        envelope, large = seal(parcels, self._threshold)
        self._sending.append(comm.Isend([envelope, MPI.BYTE], rank, TAG))
        for frame in large:
            for piece in chunks(frame):
                self._sending_bulk.append(self._bulk.Isend([piece, MPI.BYTE], rank, TAG))

    def poll(self) -> list[Arrival]:
        arrived: list[Arrival] = []
        self._receive(self._control, arrived)
        self._receive(self._mail, arrived)
        if self._runway.airborne:
            arrived.extend(self._runway.take())
        while self._own:
            arrived.append(self._own.popleft())
        if self._sending:
            self._sending = unfinished(self._sending)
        if self._sending_bulk:
            self._sending_bulk = unfinished(self._sending_bulk)
        return arrived

    def _receive(self, comm: MPI.Intracomm, arrived: list[Arrival]) -> None:
        status = self._status
        for _ in range(AT_ONCE):
            if not comm.Iprobe(MPI.ANY_SOURCE, TAG, status):
                return
            sender = status.Get_source()
            data = bytearray(status.Get_count(MPI.BYTE))
            comm.Recv([data, MPI.BYTE], sender, TAG)
            for opened in open_envelope(data, sender):
                whole = self._land(sender, opened)
                if whole is not None:
                    arrived.append(whole)

    def _land(self, sender: int, opened: Opened) -> Arrival | None:
        """Make room for the frames that follow; what is urgent has none and is never held up."""
        frames = landing_places(self.rooms, sender, opened)
        arrival = Arrival(sender, opened.message, frames)
        if type(opened.message) in URGENT:
            return arrival
        following = [room for room, frame in zip(frames, opened.frames, strict=True) if isinstance(frame, int)]
        return self._runway.put(arrival, Receiving(self._bulk, sender, following) if following else None)

    @property
    def moving(self) -> bool:
        return bool(self._runway.airborne or self._sending_bulk)

    @property
    def idle(self) -> bool:
        return not (self._sending or self._sending_bulk or self._own)

    def close(self) -> None:
        """Nothing to release: MPI may read what is still under way until it is finalized, so its requests and memory stay.

        Cancelling is no way out: after it MPICH crashes in its finalization.
        """


def chunks(frame: Frame) -> list[memoryview]:
    """A large frame as the pieces in which it is sent."""
    view = memoryview(frame)
    return [view[start : start + CHUNK] for start in range(0, len(view), CHUNK)]


class Receiving:
    """The large frames of one message on their way in. The runway asks only the first of a sender, so pieces match in order."""

    def __init__(self, bulk: MPI.Intracomm, sender: int, frames: Sequence[Frame]) -> None:
        self._bulk = bulk
        self._sender = sender
        self._to_come = deque(piece for frame in frames for piece in chunks(frame))
        self._posted: list[MPI.Request] = []

    def __call__(self) -> bool:
        """Go on receiving; whether everything is there."""
        if self._posted:
            self._posted = unfinished(self._posted)
        while self._to_come and len(self._posted) < WINDOW:
            self._posted.append(self._bulk.Irecv([self._to_come.popleft(), MPI.BYTE], self._sender, TAG))
        return not self._posted


def unfinished(requests: list[MPI.Request]) -> list[MPI.Request]:
    """Advance requests; those that are not done."""
    return [request for request in requests if request] if MPI.Request.Testsome(requests) else requests
