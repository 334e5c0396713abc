"""What a client counts as its calls end, and how it finds results that somebody still holds: all that is left here of ended calls."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from weakref import ref

from msgspec import Struct, field

if TYPE_CHECKING:
    from mpikernel.client.state import Call, Collector

#: Results that are remembered before it is looked which of them are gone. (Plain references and a sweep now and then cost half of what
#: a WeakValueDictionary does, which counts where every task is a result of its own.)
ROOM = 1000


class Tally(Struct, eq=False):
    completed: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))  # calls that have ended, by engine; -1: on none
    latest: dict[int, int] = field(default_factory=dict)  # the task that ended last, by engine, until the ledger was seen to know
    held: dict[int, ref[Collector]] = field(default_factory=dict)  # results, by the first call of each submission, in order
    room: int = ROOM  # in `held`, before it is swept

    def ended(self, call: Call) -> None:
        """A call has ended, wherever."""
        self.completed[call.engine] += 1
        if call.is_task:
            self.latest[call.engine] = call.id

    def ended_well(self, engine: int, numbers: range) -> None:
        """Tasks have ended on an engine."""
        self.completed[engine] += len(numbers)
        self.latest[engine] = numbers[-1]

    def holds(self, calls: list[Call], collector: Collector) -> None:
        """These calls, whose numbers follow each other, are this result's."""
        if calls:
            self.holds_from(calls[0].id, collector)

    def holds_from(self, number: int, collector: Collector) -> None:
        """Calls from this number on, as many as were submitted with it, are this result's."""
        if len(self.held) >= self.room:
            self.held = {first: result for first, result in self.held.items() if result() is not None}
            self.room = max(ROOM, 2 * len(self.held))
        self.held[number] = ref(collector)

    def submitted_with(self, number: int) -> Collector | None:
        """The result that call `number` can only be of, if somebody still holds it."""
        first = max((first for first in self.held if first <= number), default=None)
        return self.held[first]() if first is not None else None
