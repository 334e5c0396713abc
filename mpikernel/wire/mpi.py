"""The transport over MPI: envelopes on `mail`, large frames on `bulk`, what is urgent on `control`.

One thread at a time calls in here. Receiving mail is Iprobe, Irecv and Test: matched probes are broken on some fabrics, and
with one receiving thread they are not needed; a blocking Recv would stand still with a sender that does.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable, Sequence

from mpi4py import MPI

from mpikernel.wire.bulk import CHUNK, DIRECT, Ground, Landing, Progress, Sending, tree_tag, unfinished
from mpikernel.wire.envelope import Opened, Parcel, open_envelope, seal, small_bytes, split
from mpikernel.wire.landing import Runway
from mpikernel.wire.loopback import copied
from mpikernel.wire.messages import URGENT
from mpikernel.wire.transport import Arrival, Rooms, always

#: Small frames in one envelope (bytes); larger mail is cut, so that receiving one never takes long.
MAIL = 1 << 16
#: A message whose small frames alone are more than this has them sent by themselves from MANY bytes on.
HEAVY = 1 << 24
MANY = 1 << 9
#: Envelopes taken in one poll, so that a flood does not keep a rank from reacting.
AT_ONCE = 64
TAG = 0


class MpiTransport:
    """See `mpikernel.wire.transport` for the promise."""

    def __init__(self, mail: MPI.Intracomm, bulk: MPI.Intracomm, control: MPI.Intracomm, threshold: int) -> None:
        self.rank = mail.Get_rank()
        self.size = mail.Get_size()
        self.rooms: Rooms | None = None
        self.hungry: Callable[[], bool] = always
        self.posted: Callable[[int], object] = unheard  # told which rank something was posted to
        self._mail, self._control = Slot(mail), Slot(control)
        self._threshold = threshold
        self._envelopes: list[MPI.Request] = []  # that have not left
        self._ground = Ground(bulk, Progress(), memoryview(mmap.mmap(-1, CHUNK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)))
        self._sending = Sending(bulk, self._ground.progress)
        self._runway = Runway()
        self._own: deque[Arrival] = deque()  # posted to this rank itself

    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        if rank == self.rank:
            self._own.extend(copied(rank, parcels, self._threshold, self.rooms))
            return
        urgent = [parcel for parcel in parcels if type(parcel.message) in URGENT]
        if urgent:
            self._send(self._control.comm, rank, urgent, self._threshold)
            parcels = [parcel for parcel in parcels if type(parcel.message) not in URGENT]
        for row in split(parcels, self._threshold, MAIL) if parcels else ():
            heavy = len(row) == 1 and len(row[0].frames) > 1 and small_bytes(row[0], self._threshold) > HEAVY
            self._send(self._mail.comm, rank, row, MANY if heavy else self._threshold)

    def _send(self, comm: MPI.Intracomm, rank: int, parcels: Sequence[Parcel], threshold: int) -> None:
        envelope, following = seal(parcels, threshold)
        self._envelopes.append(comm.Isend([envelope, MPI.BYTE], rank, TAG))
        for _, frames, route, departure in following:
            if route is None:
                self._sending.send(rank, frames, DIRECT, departure)
            elif route.parent == self.rank:
                self._sending.send(rank, frames, tree_tag(self.rank), departure)
            elif departure is not None:  # others send it on
                departure.pending -= 1
        self.posted(rank)

    def poll(self) -> list[Arrival]:
        arrived: list[Arrival] = []
        for slot in (self._control, self._mail):
            for sender, data in slot.receive():
                for opened in open_envelope(data, sender):
                    self._sort(sender, opened, arrived)
        if self._runway.airborne:
            arrived.extend(self._runway.take())
        while self._own:
            arrived.append(self._own.popleft())
        if self._envelopes:
            self._envelopes = unfinished(self._envelopes)
        if self._sending:
            self._sending.advance()
        return arrived

    def _sort(self, sender: int, opened: Opened, arrived: list[Arrival]) -> None:
        """What is whole has arrived, unless something is before it; what is urgent is never held up."""
        message, frames, _ = opened
        if any(isinstance(frame, int) for frame in frames):
            self._runway.expect(sender, Landing(self._ground, sender, opened, self.rooms, self.hungry))
            return
        arrival = Arrival(sender, message, frames)  # type: ignore[arg-type]  # all of them are frames
        if type(message) in URGENT or self._runway.put(arrival) is not None:
            arrived.append(arrival)

    @property
    def progress(self) -> int:
        return self._ground.progress.pieces

    @property
    def moving(self) -> bool:
        return bool(self._runway.airborne or self._sending)

    @property
    def idle(self) -> bool:
        return not (self._envelopes or self._sending or self._own)

    def close(self) -> None:
        """Nothing to release: MPI may read what is still under way until it is finalized, so its requests and memory stay.

        Cancelling is no way out: after it MPICH crashes in its finalization.
        """


def unheard(rank: int) -> None:
    """What `posted` tells where nobody listens."""


class Slot:
    """Where the envelopes of one communicator come in, one after the other."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self._status = MPI.Status()
        self._coming: deque[tuple[MPI.Request, int, bytearray]] = deque()  # asked for, not all here yet

    def receive(self) -> list[tuple[int, bytearray]]:
        """(sender, envelope) of those that are here, in order."""
        comm, status, coming = self.comm, self._status, self._coming
        for _ in range(AT_ONCE):
            if not comm.Iprobe(MPI.ANY_SOURCE, TAG, status):
                break
            sender = status.Get_source()
            data = bytearray(status.Get_count(MPI.BYTE))
            coming.append((comm.Irecv([data, MPI.BYTE], sender, TAG), sender, data))
        here = []
        while coming and coming[0][0].Test():
            _, sender, data = coming.popleft()
            here.append((sender, data))
        return here
