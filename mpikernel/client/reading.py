"""Reads the items of a map from its sequences as far as it is told to, and makes of them what tasks are called with."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from mpikernel.client.chunking import Sizes
from mpikernel.errors import SerializeError
from mpikernel.wire.payload import Frames, size

#: Makes what a task is called with of its arguments.
MakePayload = Callable[[tuple[Any, ...]], Frames]
#: Reading pauses after so long (seconds), so that what has been read is on its way, and whoever reads can go on.
SLICE = 0.02
#: More items than any map has.
NO_BOUND = 1 << 62


class Reader(ABC):
    """Reads. What the sequences raise, and what cannot be sent, is kept as `error`, and is the end."""

    def __init__(self, payload: MakePayload) -> None:
        self.exhausted = False
        self.error: BaseException | None = None
        self._payload = payload
        self._given = 0  # payloads

    @property
    @abstractmethod
    def begins(self) -> Sequence[int]:
        """The item with which each task begins, and the end of the last one."""

    def read(self, tasks: int, room: int) -> list[Frames]:
        """The payloads of the next tasks.

        Args:
            tasks: at most so many; fewer if reading takes long.
            room: items, at most.
        """
        payloads: list[Frames] = []
        try:
            self.exhausted = not self._read(payloads, tasks, room)
        except BaseException as error:
            self.error, self.exhausted = error, True
        self._given += len(payloads)
        return payloads

    @abstractmethod
    def _read(self, payloads: list[Frames], tasks: int, room: int) -> bool:
        """Add payloads. False if there is no more to read."""


class Singles(Reader):
    """Each item is a task."""

    def __init__(self, rows: Iterator[tuple[Any, ...]], payload: MakePayload) -> None:
        super().__init__(payload)
        self._rows = rows

    @property
    def begins(self) -> Sequence[int]:
        return range(NO_BOUND)

    def _read(self, payloads: list[Frames], tasks: int, room: int) -> bool:
        until, payload, count = time.monotonic() + SLICE, self._payload, min(tasks, room)
        if count < 1:
            return True
        for row in self._rows:
            try:
                payloads.append(payload(row))
            except SerializeError as error:
                raise _of_item(self._given + len(payloads), error) from error.__cause__
            if len(payloads) == count or time.monotonic() > until:
                return True
        return False


class Chunks(Reader):
    """Each task has several items, by column.

    Args:
        items: of the only sequence, or a tuple of one of each.
        single: whether there is only one sequence.
    """

    def __init__(self, items: Iterator[Any], single: bool, payload: MakePayload, sizes: Sizes) -> None:
        super().__init__(payload)
        self._items = items
        self._single = single
        self._sizes = sizes
        self._begins = array("q", (0,))

    @property
    def begins(self) -> Sequence[int]:
        return self._begins

    def _read(self, payloads: list[Frames], tasks: int, room: int) -> bool:
        until = time.monotonic() + SLICE
        while len(payloads) < tasks:
            count, began = self._sizes.next(), time.monotonic()
            if count > room or (payloads and began > until):  # at least one: nothing else may be under way
                break
            chunk = self._next_chunk(count)
            if chunk:
                weight = self._add(payloads, chunk)
                self._sizes.read(len(chunk), weight, time.monotonic() - began)
            room -= len(chunk)
            if len(chunk) < count:
                return False
        return True

    def _next_chunk(self, count: int) -> list[Any]:
        """The next items; fewer if there are no more, or what is read raises, which is kept."""
        chunk: list[Any] = []
        try:
            chunk.extend(islice(self._items, count))  # it keeps what came before an exception
        except BaseException as error:
            self.error = error
        return chunk

    def _add(self, payloads: list[Frames], chunk: list[Any]) -> int:
        """Make a task of a chunk, or two if it is too heavy for one. How many bytes it has."""
        try:
            frames = self._payload(self._columns(chunk))
        except SerializeError:
            self._refuse_item(chunk)
            raise
        weight = size(frames)
        if len(chunk) > 1 and self._sizes.too_heavy(weight):
            half = len(chunk) // 2
            return self._add(payloads, chunk[:half]) + self._add(payloads, chunk[half:])
        payloads.append(frames)
        self._begins.append(self._begins[-1] + len(chunk))
        return weight

    def _columns(self, chunk: list[Any]) -> tuple[Any, ...]:
        return (chunk,) if self._single else tuple(zip(*chunk, strict=True))

    def _refuse_item(self, chunk: list[Any]) -> None:
        """Raise a SerializeError for the first item of a chunk that cannot be sent; none if each can be by itself."""
        for item, each in enumerate(chunk, self._begins[-1]):
            try:
                self._payload(self._columns([each]))
            except SerializeError as error:
                raise _of_item(item, error) from error.__cause__


def _of_item(item: int, error: SerializeError) -> SerializeError:
    return SerializeError(f"item {item} of the map: {error}")
