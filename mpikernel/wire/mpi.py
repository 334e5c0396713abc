"""The transport over MPI: envelopes on `mail`, large frames on `bulk`, what is urgent on `control`.

One thread at a time calls in here. Receiving mail is Iprobe, Irecv and Test: matched probes are broken on some fabrics, and
with one receiving thread they are not needed; a blocking Recv would stand still with a sender that does.

Where ranks are mortal, MPI tells each survivor by itself who has failed, when it next looks for mail, and each buries them by itself.
Requests to the dead, or from them, may never end: they are kept with their memory, and nobody looks at them again.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable, Sequence

from mpi4py import MPI

from mpikernel.errors import CalledOffError, RankDiedError
from mpikernel.wire.bulk import CHUNK, DIRECT, Ground, Landing, Progress, Sending, tree_tag
from mpikernel.wire.envelope import Opened, Parcel, open_envelope, seal, small_bytes, split
from mpikernel.wire.landing import Runway
from mpikernel.wire.loopback import copied, drop
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
#: How MPI says that a rank has failed, of one request or of some of many.
DEATHS = frozenset({MPI.ERR_PROC_FAILED, MPI.ERR_IN_STATUS})


class MpiTransport:
    """See `mpikernel.wire.transport` for the promise."""

    def __init__(self, mail: MPI.Intracomm, bulk: MPI.Intracomm, control: MPI.Intracomm, threshold: int, mortal: bool = False) -> None:
        self.rank = mail.Get_rank()
        self.size = mail.Get_size()
        self.rooms: Rooms | None = None
        self.hungry: Callable[[], bool] = always
        self.posted: Callable[[int], object] = unheard  # told which rank something was posted to
        self.mortal = mortal
        self.dead: set[int] = set()  # buried ranks
        self._graves: list[object] = []  # what MPI may still hold of theirs
        self._mail, self._control = Slot(mail, self._find_dead), Slot(control, self._find_dead)
        self._threshold = threshold
        self._envelopes: list[MPI.Request] = []  # that have not left
        self._receivers: list[int] = []  # of each
        self._late = 0  # how many of them, the first ones, had not left when they were last looked at
        waste = memoryview(mmap.mmap(-1, CHUNK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        self._ground = Ground(bulk, Progress(), waste, self.dead, self._graves)
        self._sending = Sending(bulk, self._ground.progress)
        self._runway = Runway()
        self._own: deque[Arrival] = deque()  # posted to this rank itself

    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        if rank == self.rank:
            self._own.extend(copied(rank, parcels, self._threshold, self.rooms))
            return
        if rank in self.dead:
            drop(parcels)
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
        self._receivers.append(rank)
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
        try:
            self._advance(arrived)
        except MPI.Exception as error:
            before = len(self.dead)
            self._find_dead(self._mail.comm, error)
            if len(self.dead) == before:  # what is under way either way was given up when they were buried
                text = "died with large arrays to pass on that are waited for here; the world cannot do without"
                raise RankDiedError(f"one of ranks {sorted(self.dead)} {text}") from error
        while self._own:
            arrived.append(self._own.popleft())
        return arrived

    def _advance(self, arrived: list[Arrival]) -> None:
        """Take in what has come, and go on with what has been begun."""
        for slot in (self._control, self._mail):
            for sender, data in slot.receive():
                for opened in open_envelope(data, sender):
                    self._sort(sender, opened, arrived)
        if self._runway.airborne:
            arrived.extend(self._runway.take())
        if self._envelopes:
            self._look_what_has_left()
        if self._sending:
            self._sending.advance()

    def _look_what_has_left(self) -> None:
        """Forget envelopes that have left.

        MPI may keep one back while its memory is full of others, to whoever that be, and announce it later; its receiver has been told by
        then, has found nothing and may have gone to sleep. So once something of what was kept moves, they are told again.
        """
        if MPI.Request.Testsome(self._envelopes):
            for rank in set(self._receivers[: self._late]):
                self.posted(rank)
            self._receivers = [rank for rank, request in zip(self._receivers, self._envelopes, strict=True) if request]
            self._envelopes = [request for request in self._envelopes if request]
        self._late = len(self._envelopes)

    def _find_dead(self, comm: MPI.Intracomm, error: MPI.Exception) -> None:
        """Bury whoever has failed, if that is what MPI says; else it is raised.

        Raises:
            CalledOffError: another rank ends the world.
        """
        if self.mortal and error.Get_error_class() == MPI.ERR_REVOKED:
            raise CalledOffError("another rank has ended the world") from error
        if not self.mortal or error.Get_error_class() not in DEATHS:
            raise error
        comm.Ack_failed(self.size)
        for rank in comm.Get_failed().Translate_ranks(None, comm.Get_group()):
            self.bury(rank)

    def bury(self, rank: int) -> None:
        if rank in self.dead:
            return
        self.dead.add(rank)
        self._graves.append([request for request, receiver in zip(self._envelopes, self._receivers, strict=True) if receiver == rank])
        left = [pair for pair in zip(self._envelopes, self._receivers, strict=True) if pair[1] != rank]
        self._envelopes, self._receivers, self._late = [request for request, _ in left], [receiver for _, receiver in left], len(left)
        self._graves.append(self._sending.bury(rank))
        self._graves.append(self._runway.bury(rank))
        for slot in (self._control, self._mail):
            self._graves.append(slot.bury(rank))

    def _sort(self, sender: int, opened: Opened, arrived: list[Arrival]) -> None:
        """What is whole has arrived, unless something is before it; what is urgent is never held up."""
        message, frames, _ = opened
        if any(isinstance(frame, int) for frame in frames):
            if sender in self.dead:  # they will not come
                return
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
        return bool(self._runway.airborne or self._sending or self._mail.coming or self._control.coming)

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

    def __init__(self, comm: MPI.Intracomm, find_dead: Callable[[MPI.Intracomm, MPI.Exception], object]) -> None:
        self.comm = comm
        self._find_dead = find_dead  # told what MPI raises; raises it unless somebody has failed
        self._dead: set[int] = set()
        self._graves: list[object] = []
        self._status = MPI.Status()
        self.coming: deque[tuple[MPI.Request, int, bytearray]] = deque()  # asked for, not all here yet

    def receive(self) -> list[tuple[int, bytearray]]:
        """(sender, envelope) of those that are here, in order."""
        coming = self.coming
        here = []
        try:
            self._ask()
            while coming and coming[0][0].Test():
                _, sender, data = coming.popleft()
                here.append((sender, data))
        except MPI.Exception as error:
            self._find_dead(self.comm, error)
        return here

    def _ask(self) -> None:
        """Ask for the envelopes that have been announced."""
        comm, status, coming = self.comm, self._status, self.coming
        for _ in range(AT_ONCE):
            if not comm.Iprobe(MPI.ANY_SOURCE, TAG, status):
                break
            sender = status.Get_source()
            data = bytearray(status.Get_count(MPI.BYTE))
            if sender in self._dead:  # MPI refuses to receive from it by name, and would announce it again and again
                self._graves.append(comm.Irecv([data, MPI.BYTE], MPI.ANY_SOURCE, TAG))
            else:
                coming.append((comm.Irecv([data, MPI.BYTE], sender, TAG), sender, data))

    def bury(self, rank: int) -> object:
        """Nothing comes from a rank any more. What MPI may still hold of it."""
        self._dead.add(rank)
        gone = [entry for entry in self.coming if entry[1] == rank]
        self.coming = deque(entry for entry in self.coming if entry[1] != rank)
        return gone
