"""TaskMapResult: what a map over a load-balanced view brings. Its tasks come as parts; none has an object of its own until asked for.

Tasks are known here by their position in the map: 0, 1, 2 ... in the order of the items.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import count
from typing import Any, Protocol, Self

from mpikernel.client.port import Port
from mpikernel.client.result import AsyncMapResult
from mpikernel.client.state import Call, OpenBatch, Part
from mpikernel.errors import CompositeError


class Source(Protocol):
    """Where the tasks of a map come from."""

    over: bool  # whether everything has been submitted that ever will be

    def room_made(self) -> None:
        """Tasks have ended; told under the loop's lock."""

    def stop(self) -> None:
        """Submit nothing more."""


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


class TaskMapResult(AsyncMapResult):
    """The result of a map whose items are tasks. `chunked`: each of them gives a list, for several items."""

    def __init__(self, port: Port, name: str, ordered: bool, chunked: bool, expected: int | None = None) -> None:
        super().__init__(port, name, ordered)
        self.source: Source | None = None
        self.source_error: BaseException | None = None  # of the user's source, or of items that could not be sent
        self._expected = expected  # tasks in all, if that was known at the start
        self._chunked = chunked
        self._ended = 0  # tasks
        self._pieces: dict[int, Part | Call] = {}  # what has come, by the position of its first task
        self._arrived: deque[int] = deque()  # positions of pieces, in the order in which they came
        self._bad: dict[int, Call] = {}  # those that failed or were cancelled
        self._rows = Rows()
        self._cut = False  # it was cancelled before all had been submitted
        self._over = False  # all have ended

    # what happens, told under the loop's lock ---------------------------------------------------------------------------

    @property
    def submitted(self) -> int:
        """Tasks that have been submitted so far."""
        return self._rows.count

    def expecting(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self._rows.add(range(call.id, call.id + 1))

    def expecting_batch(self, numbers: range) -> None:
        """These tasks are about to be sent."""
        self._rows.add(numbers)

    def arrived(self, call: Call) -> None:
        position = self._rows.position(call.id)
        if call.failed or call.aborted:
            self._bad[position] = call
        self._put(position, call, 1)

    def part_arrived(self, part: Part) -> None:
        """Some tasks have ended well."""
        self._put(self._rows.position(part.numbers.start), part, len(part))

    def _put(self, position: int, piece: Part | Call, tasks: int) -> None:
        self._pieces[position] = piece
        self._arrived.append(position)
        self._ended += tasks
        if self.source is not None:
            self.source.room_made()
        self.settle_when_over()

    def settle_when_over(self) -> None:
        """Become done after this turn if nothing is to come any more."""
        if not self._over and self._ended == self.submitted and self.source is not None and self.source.over:
            self._over = True
            self._port.loop.afterwards(self._tell)

    @property
    def rows(self) -> Sequence[range]:
        """The numbers of its tasks, as far as they have been submitted."""
        return list(self._rows)

    @property
    def pieces(self) -> Collection[Part | Call]:
        """What has ended of it, and has not been let go of."""
        return self._pieces.values()

    @property
    def in_flight(self) -> int:
        """Tasks that have been submitted and have not ended."""
        return self.submitted - self._ended

    def launched(self) -> Self:
        self._port.nudge()
        return self

    # what became of it --------------------------------------------------------------------------------------------------

    def _bad_calls(self) -> Sequence[Call]:
        return [call for _, call in sorted(self._bad.items())]

    def _has_failed(self) -> bool:
        return bool(self._bad) or self._cut or self.source_error is not None

    def _failure(self) -> Exception:
        if isinstance(self.source_error, Exception):
            return self.source_error
        bad = self._bad_calls()
        if not bad:
            return self._aborted()
        what = f"{self._name} failed in {len(bad)} of {len(self)} calls"
        return CompositeError(what, [self._error_of(call) for call in bad], [call.engine for call in bad])

    @property
    def _number(self) -> int:
        return next((row.start for row in self._rows), -1)

    def _rebuilt(self) -> list[Any]:
        return [value for position in sorted(self._pieces) for value in self._values_of(self._pieces[position])]

    def _values_of(self, piece: Part | Call) -> Sequence[Any]:
        values = piece.values() if isinstance(piece, Part) else (piece.value(),)
        return [value for chunk in values for value in chunk] if self._chunked else values

    # one after the other -------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        for piece in self._in_order() if self._ordered else self._as_it_came():
            yield from self.good_values(piece)

    def good_values(self, piece: Part | Call) -> Sequence[Any]:
        """What a piece brought, unless it failed."""
        if isinstance(piece, Call) and (piece.failed or piece.aborted):
            self._asked()
            raise self._error_of(piece)
        return self._values_of(piece)

    def _in_order(self) -> Iterator[Part | Call]:
        position = 0
        while self._there_is(position):
            piece = self._pieces[position]
            yield piece
            position += len(piece) if isinstance(piece, Part) else 1

    def _there_is(self, position: int, patience: float | None = None) -> bool:
        """Wait until a piece has come; False if there is none."""
        pieces = self._pieces
        self._wait_for_piece(lambda: position in pieces, patience)
        return position in pieces

    def _wait_for_piece(self, condition: Callable[[], bool], patience: float | None = None) -> None:
        self._port.wait(lambda: condition() or self._over, patience)
        if not condition() and self._over and self.source_error is not None:
            self._asked()
            raise self._failure()

    def _as_it_came(self) -> Iterator[Part | Call]:
        arrived = self._arrived
        for seen in count():
            self._wait_for_piece(lambda seen=seen: len(arrived) > seen)  # type: ignore[misc]  # mypy does not type such lambdas
            if len(arrived) == seen:
                return
            yield self._pieces[arrived[seen]]

    def take_next(self, position: int | None) -> tuple[int, Part | Call]:
        """Wait for a piece, the one at a position or else the first that comes, and let go of it."""
        if position is None:
            self._wait_for_piece(lambda: bool(self._arrived))
            position = self._arrived.popleft()
        else:
            self._there_is(position)
            self._arrived.clear()
        self._bad.pop(position, None)
        return position, self._pieces.pop(position)

    def _taken(self, patience: float) -> Iterator[Sequence[Any]]:
        position = 0
        while True:
            while not self._there_is(position, patience):
                if self._over:
                    return
                yield ()
            piece = self._pieces[position]
            values = self.good_values(piece)
            piece.take()
            yield values
            position += len(piece) if isinstance(piece, Part) else 1

    # cancelling ----------------------------------------------------------------------------------------------------------

    def under_way(self) -> tuple[Sequence[Call], Sequence[OpenBatch]]:
        """What has not ended of it; from now on nothing more is submitted."""
        if self.source is not None and not self.source.over:
            self._cut = True
            self.source.stop()
        with self._port.loop.hold:
            state = self._port.state
            calls = [call for call in state.open.values() if call.collector is self]
            return calls, [batch for batch in state.batches.values() if batch.collector is self]

    # as if each task were a call -------------------------------------------------------------------------------------------

    @property
    def calls(self) -> Sequence[Call]:
        """Its tasks as calls, in order, as they stand now."""
        with self._port.loop.hold:
            pieces = dict(self._pieces)
            return [call for row in self._rows for call in self._calls_of(row, pieces)]

    def _calls_of(self, row: range, pieces: dict[int, Part | Call]) -> Iterator[Call]:
        begin = position = self._rows.position(row.start)
        end = begin + len(row)
        while position < end:
            piece = pieces.get(position)
            if isinstance(piece, Part):
                yield from (piece.call(index) for index in range(len(piece)))
                position += len(piece)
                continue
            yield piece if piece is not None else self._open_call(row.start + position - begin)
            position += 1

    def _open_call(self, number: int) -> Call:
        return self._port.state.open.get(number) or Call(number, "task", self._name, -1, self._begun, is_task=True)

    def __len__(self) -> int:
        return self.submitted if self._expected is None or self.source is None or self.source.over else self._expected

    @property
    def progress(self) -> int:
        return self._ended

    @property
    def msg_ids(self) -> list[int]:
        return [number for row in self._rows for number in row]

    @property
    def elapsed(self) -> float:
        if not self.done():
            return time.time() - self._begun
        return max((piece.received for piece in self._pieces.values()), default=self._begun) - self._begun
