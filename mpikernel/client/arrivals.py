"""What has come of a map's tasks, and where their items stand. Tasks are known by their position in the map: 0, 1, 2 ...

It knows no port and waits for nothing; whoever adds to it holds the loop's lock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from mpikernel.client.state import Call, Part
from mpikernel.wire.payload import size


class Rows:
    """The numbers of a map's tasks, by position: rows of consecutive ones, as they were submitted."""

    def __init__(self) -> None:
        self.count = 0  # tasks
        self._firsts: list[int] = []  # the number with which each row begins
        self._positions: list[int] = []  # and its position

    def add(self, numbers: range) -> None:
        """These tasks come next."""
        last = len(self._firsts) - 1
        if last < 0 or self._firsts[last] + self.count - self._positions[last] != numbers.start:
            self._firsts.append(numbers.start)
            self._positions.append(self.count)
        self.count += len(numbers)

    def position(self, number: int) -> int:
        """The position of a task."""
        row = bisect_right(self._firsts, number) - 1
        return self._positions[row] + number - self._firsts[row]

    def __iter__(self) -> Iterator[range]:
        ends = [*self._positions[1:], self.count]
        for first, position, end in zip(self._firsts, self._positions, ends, strict=False):  # in an empty map there is an end alone
            yield range(first, first + end - position)


class OpenCalls(Protocol):
    """Gives a task that has not ended as a call."""

    def __call__(self, number: int) -> Call: ...


class Arrivals:
    """The pieces that have come: runs of tasks that ended well together, and single tasks however they ended.

    Args:
        begins: the item with which each task begins, by position, and the end of the last one.
    """

    def __init__(self, begins: Sequence[int]) -> None:
        self.rows = Rows()
        self.pieces: dict[int, Part | Call] = {}  # by the position of the first task
        self.order: deque[int] = deque()  # positions of pieces, in the order in which they came
        self.bad: dict[int, Call] = {}  # those that failed or were cancelled
        self.ended = 0  # tasks
        self.ended_items = 0
        self.taken_items = 0  # of pieces that have been taken out
        self.told: dict[int, Part | Call] = {}  # how those ended of them that somebody watches, without values
        self._watched: set[int] = set()  # positions
        self._begins = begins

    @property
    def in_flight(self) -> int:
        """Tasks that have been submitted and have not ended."""
        return self.rows.count - self.ended

    @property
    def items(self) -> int:
        """Items of the tasks that have been submitted."""
        return self._begins[self.rows.count]

    def items_of(self, position: int, tasks: int = 1) -> range:
        """The items of some tasks, from a position on."""
        return range(self._begins[position], self._begins[position + tasks])

    def put(self, first: int, piece: Part | Call) -> int:
        """A piece has come whose first task has this number. How many items it has."""
        position, tasks = self.rows.position(first), length(piece)
        if isinstance(piece, Call) and (piece.failed or piece.aborted):
            self.bad[position] = piece
        self.pieces[position] = piece
        self.order.append(position)
        items = len(self.items_of(position, tasks))
        self.ended += tasks
        self.ended_items += items
        return items

    def take(self, position: int | None) -> tuple[int, Part | Call]:
        """Let go of the piece at a position, or of the one that came first, and give it."""
        if position is None:
            position = self.order.popleft()
        else:
            self.order.clear()
        self.bad.pop(position, None)
        piece = self.pieces[position]
        if self._watched and not self._watched.isdisjoint(range(position, position + length(piece))):
            self.told[position] = piece.without_values()  # first: others look at any time
        del self.pieces[position]
        self.taken_items += len(self.items_of(position, length(piece)))
        return position, piece

    def watch(self, numbers: Iterable[int]) -> None:
        """How these tasks end is to be told even when they have been taken."""
        self._watched.update(map(self.rows.position, numbers))

    def calls(self, open_call: OpenCalls) -> list[Call]:
        """All tasks as calls, in order, as they stand now."""
        pieces = dict(self.pieces)
        return [call for row in self.rows for call in self._calls_of(row, pieces, open_call)]

    def _calls_of(self, row: range, pieces: dict[int, Part | Call], open_call: OpenCalls) -> Iterator[Call]:
        begin = position = self.rows.position(row.start)
        end = begin + len(row)
        while position < end:
            piece = pieces.get(position)
            if isinstance(piece, Part):
                yield from (piece.call(index) for index in range(len(piece)))
                position += len(piece)
                continue
            yield piece if piece is not None else open_call(row.start + position - begin)
            position += 1


def length(piece: Part | Call) -> int:
    """How many tasks a piece is."""
    return len(piece) if isinstance(piece, Part) else 1


def seconds(piece: Part | Call) -> float | None:
    """How long engines worked on a piece; None if none did."""
    if isinstance(piece, Part):
        times = memoryview(piece.done.times).cast("d")
        return sum(times[len(piece) :]) - sum(times[: len(piece)])
    return piece.done.completed - piece.done.started if piece.done is not None and piece.done.started else None


def weight(piece: Part | Call) -> int:
    """Bytes that a piece has brought, before it is rebuilt."""
    return size((piece.data,) if isinstance(piece, Part) else piece.frames)
