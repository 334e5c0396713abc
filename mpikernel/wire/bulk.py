"""Large frames on their way over MPI: out of the memory in which they live, into the memory in which they stay.

They go in pieces: not every MPI has large counts, some copy all that has been posted inside one call, which must not take
long, and what goes on to others down a tree goes on piece by piece while the rest is still coming. A receiver posts a few
pieces at a time. MPI keeps what one rank sends to another under one tag in order, so a piece needs no name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mpi4py import MPI

from mpikernel.wire.envelope import Departure, Frame, Missing, Opened
from mpikernel.wire.transport import Arrival, Rooms, landing_places

#: Bytes in one piece of a large frame, and how many pieces a receiver takes at a time from one sender.
CHUNK = 1 << 23
WINDOW = 4
#: The same for frames that go on to others: smaller, because a rank passes on what is whole.
RELAYED = 1 << 22
#: Pieces of one stream (a receiver and a tag) that a sender posts at a time.
POSTED = 32
#: The tag of frames that go to one rank. What goes down a tree has the tag of the rank that posted it, so streams do not mix.
DIRECT = 0


def tree_tag(origin: int) -> int:
    """The tag of frames that `origin` has posted to many."""
    return 1 + origin


def piece_size(tag: int) -> int:
    """Bytes in a piece, by the tag under which it goes."""
    return CHUNK if tag == DIRECT else RELAYED


def pieces(frame: Frame, size: int) -> list[memoryview]:
    """A large frame as it is sent."""
    view = memoryview(frame)
    return [view[start : start + size] for start in range(0, len(view), size)]


class Progress:
    """How far large transfers are, in and out."""

    def __init__(self) -> None:
        self.pieces = 0  # that have moved


class Leaving:
    """The large frames of one message on their way out."""

    __slots__ = ("departure", "left", "pieces")

    def __init__(self, frames: Sequence[Frame], size: int, departure: Departure | None) -> None:
        self.pieces = deque(piece for frame in frames for piece in pieces(frame, size))  # not begun
        self.left = len(self.pieces)  # not sent
        self.departure = departure


class Sending:
    """All large frames on their way out of one rank. Of each stream only so many pieces are posted at a time: each poll looks at all."""

    def __init__(self, comm: MPI.Intracomm, progress: Progress) -> None:
        self._comm = comm
        self._progress = progress
        self._waiting: dict[tuple[int, int], deque[Leaving]] = {}  # messages with pieces that are not posted, by (rank, tag)
        self._posted: dict[tuple[int, int], int] = {}  # pieces under way, by the same
        self._requests: list[MPI.Request] = []
        self._messages: list[tuple[tuple[int, int], Leaving]] = []  # that each request belongs to

    def __bool__(self) -> bool:
        return bool(self._requests)

    def send(self, rank: int, frames: Sequence[Frame], tag: int, departure: Departure | None) -> None:
        """Begin to send the large frames of one message, or queue them behind others of the stream."""
        stream = rank, tag
        self._waiting.setdefault(stream, deque()).append(Leaving(frames, piece_size(tag), departure))
        self._post(stream)

    def _post(self, stream: tuple[int, int]) -> None:
        queue = self._waiting.get(stream)
        while queue and self._posted.get(stream, 0) < POSTED:
            message = queue[0]
            piece = message.pieces.popleft()
            self._requests.append(self._comm.Isend([piece, MPI.BYTE], *stream))
            self._messages.append((stream, message))
            self._posted[stream] = self._posted.get(stream, 0) + 1
            if not message.pieces:
                queue.popleft()
        if not queue:
            self._waiting.pop(stream, None)

    def bury(self, rank: int) -> object:
        """Give up what goes to a rank, and tell the departures of its messages. What MPI may still read of it."""
        under_way = {id(message): message for stream, message in self._messages if stream[0] == rank}
        for stream in [stream for stream in self._waiting if stream[0] == rank]:
            under_way.update((id(message), message) for message in self._waiting.pop(stream))
        for message in under_way.values():
            if message.departure is not None:
                message.departure.pending -= 1
        gone = [(request, message) for request, (stream, message) in zip(self._requests, self._messages, strict=True) if stream[0] == rank]
        left = [pair for pair in zip(self._requests, self._messages, strict=True) if pair[1][0][0] != rank]
        self._requests, self._messages = [request for request, _ in left], [entry for _, entry in left]
        self._posted = {stream: count for stream, count in self._posted.items() if stream[0] != rank}
        return gone

    def advance(self) -> None:
        """Go on, and tell the departures of messages that have left."""
        done = MPI.Request.Testsome(self._requests)
        if not done:
            return
        self._progress.pieces += len(done)
        streams = set()
        for stream, message in map(self._messages.__getitem__, done):
            streams.add(stream)
            self._posted[stream] -= 1
            message.left -= 1
            if message.left == 0 and message.departure is not None:
                message.departure.pending -= 1
        left = [index for index, request in enumerate(self._requests) if request]
        self._requests = [self._requests[index] for index in left]
        self._messages = [self._messages[index] for index in left]
        for stream in streams:
            self._post(stream)
            if not self._posted[stream]:
                del self._posted[stream]


class Ground(NamedTuple):
    """What all landings of a transport share."""

    comm: MPI.Intracomm
    progress: Progress
    waste: memoryview  # for pieces that there is no memory for, and that nobody is to get
    dead: set[int]  # buried ranks
    graves: list[object]  # what MPI may still hold of theirs


class Landing:
    """The large frames of one message on their way in, and on to its children. Called again and again until it is whole."""

    def __init__(self, ground: Ground, sender: int, opened: Opened, rooms: Rooms | None, hungry: Callable[[], bool]) -> None:
        self._ground = ground
        self._sender = sender
        self._opened = opened
        self._rooms = rooms
        self._hungry = hungry
        route = opened.route
        self._source, self._tag = (sender, DIRECT) if route is None else (route.parent, tree_tag(sender))
        self._children = () if route is None else route.children
        self._arrival: Arrival | None = None  # its frames are being filled
        self._to_come: deque[memoryview] = deque()
        self._posted: deque[tuple[MPI.Request, memoryview]] = deque()
        self._passed_on: dict[int, list[MPI.Request]] = {}  # by child, what has not left; none of them empty
        self._window = WINDOW

    def __call__(self) -> Arrival | None:
        if self._arrival is None:
            if not self._hungry():
                return None
            self._begin()
            self._post()
        self._land()
        if self._passed_on:
            self._see_off()
        self._post()
        return None if self._posted or self._passed_on else self._arrival

    def _post(self) -> None:
        """Ask for more pieces, as far as the window goes."""
        while self._to_come and len(self._posted) < self._window and not (self._passed_on and self._window == 1):
            piece = self._to_come.popleft()
            self._posted.append((self._ground.comm.Irecv([piece, MPI.BYTE], self._source, self._tag), piece))

    def _begin(self) -> None:
        """Find room. What there is no memory for has to come all the same; it lands, piece by piece, where nobody looks."""
        opened, size = self._opened, piece_size(self._tag)
        frames = landing_places(self._rooms, self._sender, opened)
        for place, frame in zip(frames, opened.frames, strict=True):
            if not isinstance(frame, int):
                continue
            if isinstance(place, Missing):
                self._window = 1
                # what is passed on has to stay as it came until it has left: others must not land in it
                waste = memoryview(bytearray(min(size, frame))) if self._children else self._ground.waste
                self._to_come += [waste[: min(size, frame - start)] for start in range(0, frame, size)]
            else:
                self._to_come += pieces(place, size)
        self._arrival = Arrival(self._sender, opened.message, frames)

    def _land(self) -> None:
        """Pass on what has come, in order."""
        if not self._posted:
            return
        MPI.Request.Testsome([request for request, _ in self._posted])
        while self._posted and not self._posted[0][0]:
            piece = self._posted.popleft()[1]
            self._ground.progress.pieces += 1
            self._pass_on(piece)

    def _pass_on(self, piece: memoryview) -> None:
        """Send a piece to the children that live; one that is found dead now keeps it from no other."""
        found: MPI.Exception | None = None
        for child in self._children:
            if child in self._ground.dead:
                continue
            try:
                request = self._ground.comm.Isend([piece, MPI.BYTE], child, self._tag)
            except MPI.Exception as error:
                found = error
            else:
                self._passed_on.setdefault(child, []).append(request)
        if found is not None:
            raise found

    def _see_off(self) -> None:
        """Let go of what has left."""
        for child, requests in list(self._passed_on.items()):
            if child in self._ground.dead:
                self._ground.graves.append(self._passed_on.pop(child))
                continue
            self._passed_on[child] = unfinished(requests)
            if not self._passed_on[child]:
                del self._passed_on[child]


def unfinished(requests: list[MPI.Request]) -> list[MPI.Request]:
    """Advance requests; those that are not done."""
    return [request for request in requests if request] if MPI.Request.Testsome(requests) else requests
