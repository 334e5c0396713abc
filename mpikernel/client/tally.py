"""What a client counts as its calls end, and how it finds results that somebody still holds: all that is left here of ended calls."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from msgspec import Struct, field

if TYPE_CHECKING:
    from mpikernel.client.state import Call, Collector


class Tally(Struct, eq=False):
    completed: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))  # calls that have ended, by engine; -1: on none
    latest: dict[int, int] = field(default_factory=dict)  # the task that ended last, by engine, until the ledger was seen to know
    held: WeakValueDictionary[int, Collector] = field(default_factory=WeakValueDictionary)  # results, by the first call of each submission

    def ended(self, call: Call) -> None:
        """A call has ended, wherever."""
        self.completed[call.engine] += 1
        if call.is_task:
            self.latest[call.engine] = call.id

    def holds(self, calls: list[Call], collector: Collector) -> None:
        """These calls, whose numbers follow each other, are this result's."""
        if calls:
            self.held[calls[0].id] = collector

    def submitted_with(self, number: int) -> Collector | None:
        """The result that call `number` can only be of, if somebody still holds it."""
        first = max((first for first in list(self.held) if first <= number), default=None)
        return self.held.get(first) if first is not None else None
