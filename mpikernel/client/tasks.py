"""ResultOfTasks: a map's result as the collector of its tasks, which have no objects of their own until somebody asks for them."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Protocol, Self

from mpikernel.client.arrivals import Arrivals
from mpikernel.client.port import Port
from mpikernel.client.result import AsyncMapResult
from mpikernel.client.state import Call, OpenBatch, Part
from mpikernel.wire.failure import one_line


class Source(Protocol):
    """Where the tasks of a map come from."""

    over: bool  # whether everything has been submitted that ever will be
    pulled: bool  # whether values are let go of as they are taken

    def ended(self, piece: Part | Call, items: int) -> None:
        """Tasks have ended, which had so many items; told under the loop's lock."""

    def stop(self) -> None:
        """Submit nothing more."""


class ResultOfTasks(AsyncMapResult):
    """What is known of the tasks of a map, and when they are done.

    Args:
        expected: how many of them there will be, if that is known.
        by_items: whether they count items.
    """

    def __init__(self, port: Port, name: str, ordered: bool, tasks: Arrivals, expected: int | None, by_items: bool) -> None:
        super().__init__(port, name, ordered)
        self.tasks = tasks
        self.source: Source | None = None
        self.source_error: BaseException | None = None  # of the user's source, or of items that could not be sent
        self._expected = expected
        self._by_items = by_items
        self.cut = False  # it was cancelled before all had been submitted
        self._over = False  # all have ended

    # what happens, told under the loop's lock ---------------------------------------------------------------------------

    def expecting(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self.tasks.rows.add(range(call.id, call.id + 1))

    def expecting_batch(self, numbers: range) -> None:
        """These tasks are about to be sent."""
        self.tasks.rows.add(numbers)

    def arrived(self, call: Call) -> None:
        self._put(call.id, call)

    def part_arrived(self, part: Part) -> None:
        """Some tasks have ended well."""
        self._put(part.numbers.start, part)

    def _put(self, number: int, piece: Part | Call) -> None:
        items = self.tasks.put(number, piece)
        if self.source is not None:
            self.source.ended(piece, items)
        self.settle_when_over()

    def settle_when_over(self) -> None:
        """Become done after this turn if nothing is to come any more."""
        if not self._over and not self.tasks.in_flight and self.source is not None and self.source.over:
            self._over = True
            self._port.loop.afterwards(self._tell)

    def launched(self) -> Self:
        self._port.nudge()
        return self

    @property
    def rows(self) -> Sequence[range]:
        """The numbers of its tasks, as far as they have been submitted."""
        return list(self.tasks.rows)

    @property
    def pieces(self) -> Collection[Part | Call]:
        """What has ended of it, and has not been let go of; of tasks that are watched, how they ended."""
        return [*self.tasks.pieces.values(), *self.tasks.told.values()]

    @property
    def is_taken(self) -> bool:
        """Whether its values are let go of as they are taken."""
        return self.source is not None and self.source.pulled

    def watch(self, numbers: Sequence[int]) -> list[int]:
        """Be able to tell how these tasks end; those whose values have been taken already, of which that is not known here."""
        if not self.is_taken:
            return []
        calls, batches = self._open()
        known = {number for piece in self.pieces for number in (piece.numbers if isinstance(piece, Part) else (piece.id,))}
        known.update((call.id for call in calls), *(batch.open for batch in batches))
        self.tasks.watch(known.intersection(numbers))
        return [number for number in numbers if number not in known]

    @property
    def shortage(self) -> str:
        """Why not all of it was submitted; empty if it was, or is to be."""
        if self.source_error is not None:
            return one_line(self.source_error)
        return "it was cancelled" if self.cut else ""

    # what became of it --------------------------------------------------------------------------------------------------

    def _bad_calls(self) -> Sequence[Call]:
        return [call for _, call in sorted(self.tasks.bad.items())]

    @property
    def _count(self) -> int:
        return self.tasks.rows.count

    @property
    def _number(self) -> int:
        return next((row.start for row in self.tasks.rows), -1)

    # cancelling ----------------------------------------------------------------------------------------------------------

    def under_way(self) -> tuple[Sequence[Call], Sequence[OpenBatch]]:
        """What has not ended of it; from now on nothing more is submitted."""
        if self.source is not None and not self.source.over:
            self.cut = True
            self.source.stop()
        with self._port.loop.hold:
            return self._open()

    def _open(self) -> tuple[Sequence[Call], Sequence[OpenBatch]]:
        state = self._port.state
        calls = [call for call in state.open.values() if call.collector is self]
        return calls, [batch for batch in state.batches.values() if batch.collector is self]

    # as if each task were a call -------------------------------------------------------------------------------------------

    @property
    def calls(self) -> Sequence[Call]:
        """Its tasks as calls, in order, as they stand now."""
        with self._port.loop.hold:
            return self.tasks.calls(self._open_call)

    def _open_call(self, number: int) -> Call:
        return self._port.state.open.get(number) or Call(number, "task", self._name, -1, self._begun, is_task=True)

    def __len__(self) -> int:
        if self._expected is None or self.source is None or self.source.over:
            return self.tasks.items if self._by_items else self._count
        return self._expected

    @property
    def progress(self) -> int:
        return self.tasks.ended_items if self._by_items else self.tasks.ended

    @property
    def msg_ids(self) -> list[int]:
        return [number for row in self.tasks.rows for number in row]

    @property
    def elapsed(self) -> float:
        if not self.done():
            return time.time() - self._begun
        return max((piece.received for piece in self.tasks.pieces.values()), default=self._begun) - self._begun
