"""Pushes to shared memory: one copy of what is large for all engines of a host, which map it read-only.

For the engines of the client's own host it is written here, in an area of which they are told; on each other host the first of the
targets leads (engine/sharing.py). The client keeps an area open until all have answered. Then it is the engines' alone, but new pages
take several times as long as copying into them, so an area is remembered, and used again if its engines have let go of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from mpikernel.arrays.shared_memory import Area, offsets
from mpikernel.client.port import Port
from mpikernel.client.result import AsyncResult
from mpikernel.client.state import Call
from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Message, PushShared, SharedArea, Unshare
from mpikernel.wire.payload import Frames


class SharedPush:
    """One of them: who gets what."""

    def __init__(self, port: Port, names: tuple[str, ...], frames: Frames, engines: Sequence[int]) -> None:
        """Copy what is large to where the engines of this host can share it.

        Raises:
            SerializeError: there is no room for it.
        """
        state = port.state
        self._port = port
        self._names = names
        self._frames = frames
        self._sizes = tuple(len(frame) if index and state.traffic.any_large([frame]) else 0 for index, frame in enumerate(frames))
        self._along = list(compress(frames, [not size for size in self._sizes]))  # frames that are not shared
        self._hosts = [state.hosts[state.engines[engine]] for engine in engines]
        self._here = state.hosts[state.rank]
        self._area = self._write() if self._here in self._hosts and any(self._sizes) else None

    def _write(self) -> Area:
        with self._port.loop.hold:
            area = self._port.areas.take(offsets(self._shared)[-1])
        area.write(list(compress(self._frames, self._sizes)))
        return area

    @property
    def _shared(self) -> tuple[int, ...]:
        return tuple(filter(None, self._sizes))

    @property
    def worth_it(self) -> bool:
        """Whether there is anything to share."""
        return any(self._sizes)

    def _leads(self, index: int) -> bool:
        host = self._hosts[index]
        return host != self._here and self._hosts.index(host) == index

    def launch(self, result: AsyncResult, engines: Sequence[int], label: str) -> AsyncResult:
        """Send it, and see that memory is let go of when all have answered."""

        def make(call: Call, index: int) -> tuple[Message, Sequence[Frame]]:
            return self._message(result.calls, index)

        weighed = [self._frames] * len(engines)  # what is shared is under way too, until it is taken
        self._port.command(result, "push", label, engines, make, weighed)
        result.add_done_callback(lambda _: self._release(result.calls))
        return result.launched()

    def _message(self, calls: Sequence[Call], index: int) -> tuple[Message, Sequence[Frame]]:
        """Hold: what one target gets. Where the area is, it must know first."""
        call = calls[index]
        if self._leads(index):
            others = [other for other in range(index + 1, len(calls)) if self._hosts[other] == self._hosts[index]]
            ranks = tuple(self._port.state.engines[calls[other].engine] for other in others)
            self._port.state.fellows[call.id] = [(rank, calls[other].id) for rank, other in zip(ranks, others, strict=True)]
            return PushShared(call.id, self._names, self._sizes, True, ranks, tuple(calls[other].id for other in others)), self._frames
        if self._area is not None and self._hosts[index] == self._here:
            self._port.loop.out.send(self._port.state.engines[call.engine], SharedArea(call.id, self._shared, *self._area.place, ""))
        return PushShared(call.id, self._names, self._sizes, False, (), ()), self._along

    def _release(self, calls: Sequence[Call]) -> None:
        with self._port.loop.hold:
            for index, call in enumerate(calls):
                self._port.state.fellows.pop(call.id, None)
                if self._leads(index):
                    self._port.loop.out.send(self._port.state.engines[call.engine], Unshare(call.id))
            if self._area is not None:
                self._port.areas.keep(self._area)
                self._area = None
        self._frames, self._along = [], []
