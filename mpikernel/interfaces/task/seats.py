"""One engine as the task interface sees it: what it has been given, and what it has told. Plain data."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from itertools import groupby

from msgspec import Struct, field

from mpikernel.interfaces.task.entries import Batch, Entry, Stretch, Task, runs
from mpikernel.interfaces.task.recent import Recent
from mpikernel.wire.arguments import remember_arguments
from mpikernel.wire.messages import Withdraw
from mpikernel.wire.mirror import Sent

#: Who has one task and has told of none for so long (seconds) may not have begun it: another call may be before it. If so it is
#: given nothing that others can take for as long, and longer each time that it is found so.
STUCK = 5e-2


class Wish(Struct, eq=False):
    """A client's, to have tasks of an engine cancelled, as the engine was told."""

    message: Withdraw
    returned: set[int] = field(default_factory=set)  # tasks that have come back from it since: see `Seat.gave_back`


class Seat(Struct, eq=False):
    """One engine as the task interface sees it."""

    rank: int
    host: str
    sent: Sent = field(default_factory=Sent)  # functions it has been sent
    arguments: Sent = field(default_factory=remember_arguments)  # that it has been sent
    held: Counter[bytes] = field(default_factory=Counter)  # tasks it has that have not ended, by function; none of them zero
    reach: Counter[tuple[int, ...]] = field(default_factory=Counter)  # the same tasks, by the engines they may go to; none of them zero
    given: dict[int, Task | Batch] = field(default_factory=dict)  # the same, by task id, in the order in which it was given them
    heard: float = 0.0  # when it last told of a task, or got one while it had none
    asked: set[int] = field(default_factory=set)  # those of them that it has been asked to give back, and has not answered
    begun: set[int] = field(default_factory=set)  # those that have, as it answered, none of them having ended since
    elsewhere: int = 0  # how often it has given back what it would have begun first since it last told of a task: it is in another call
    spared: float = 0.0  # until then others are preferred, because of that
    seized: bool = False  # it sits in a call that was given up: it is given nothing
    turn: int = 0  # how often tasks had been handed out when it was given some last
    wishes: deque[Wish] = field(default_factory=deque)  # of clients, that it has not answered
    recent: Recent = field(default_factory=Recent)  # ended well there
    lost: str = ""  # how it died, if it has
    closed: bool = False  # it gets nothing now: it has died, or has a task that is to be alone

    @property
    def count(self) -> int:
        """How many tasks it has."""
        return len(self.given)

    def give(self, entry: Entry) -> None:
        """It has these tasks now."""
        if isinstance(entry, Task):
            self.given[entry.submit.task] = entry
        else:
            self.given.update(dict.fromkeys(entry.numbers, entry.whole))
        self._count(entry, entry.count)

    def take(self, number: int) -> Task:
        """It does not have a task any more."""
        entry = self.given.pop(number)
        self.asked.discard(number)
        self.begun.discard(number)
        task = entry if isinstance(entry, Task) else entry.single(number)
        self._count(task, -1)
        return task

    def take_stretch(self, stretch: Stretch) -> None:
        """It does not have these tasks any more."""
        for number in stretch.numbers:
            del self.given[number]
        for those in (self.asked, self.begun):
            if those:
                those.difference_update(stretch.numbers)
        self._count(stretch, -stretch.count)

    def keep(self, numbers: Collection[int]) -> None:
        """It has answered that it does not give these back: unless they have ended, they have begun, and so has all before them."""
        kept = self.asked.intersection(numbers)
        self.asked -= kept
        for number in self.given if kept else ():
            if not kept:
                break
            kept.discard(number)
            self.begun.add(number)

    def entries(self, numbers: Collection[int]) -> list[Entry]:
        """Those of these tasks that it has, in the order in which it was given them."""
        entries: list[Entry] = []
        for entry, part in groupby([number for number in self.given if number in numbers], self.given.__getitem__):
            if isinstance(entry, Task):
                entries.append(entry)
            else:
                entries += [Stretch(entry, run) for run in runs(part)]
        return entries

    def _count(self, entry: Entry, count: int) -> None:
        function, targets = entry.submit.function, entry.targets
        self.reach[targets] += count
        if not self.reach[targets]:
            del self.reach[targets]
        self.held[function] += count
        if not self.held[function]:
            del self.held[function]
            self.closed = bool((self.held and self.closed) or self.lost)

    def gave_back(self, numbers: Collection[int]) -> None:
        """Tasks have come back from it. If it is given them again, its answers to what was sent before say nothing of that."""
        for wish in self.wishes:
            wish.returned.update(numbers)
