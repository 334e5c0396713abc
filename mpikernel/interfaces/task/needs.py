"""What parked tasks need of others, and who is to be told when one of those ends. Plain data; it decides nothing.

A task may need a million others, and a million tasks one: a need counts what is left of its ranges, and is found by nodes, each of which
stands for 1, 32, 1024, ... consecutive numbers. So a range is a few nodes, and so is who has just ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from mpikernel.errors import places
from mpikernel.interfaces.task.entries import Entry, Task, overlap, without
from mpikernel.interfaces.task.outcomes import Ended, Outcomes
from mpikernel.interfaces.task.register import Register
from mpikernel.ledger.records import ABORTED, OK
from mpikernel.wire.terms import Needs

#: Each level of nodes stands for 2 ** BITS times as many numbers as the one below.
BITS = 5


class After:
    """A need in time: `obstacle` says why it cannot be met any more, and is empty as long as it can."""

    verb = "run after"

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self.ranges = [range(first, first + count) for first, count in needs.open]
        self.left = sum(map(len, self.ranges))  # tasks of those that have not ended
        self.met = needs.met  # one has ended in the right way
        self.unmet = needs.unmet  # the first that ended in the wrong way, and how
        self.engines = set(needs.engines)  # on which those ran that ended in the right way

    def tell(self, ended: Ended) -> None:
        """Some of those that it names have ended."""
        self.left -= len(ended.numbers)
        if self.needs.success if ended.status == OK else self.needs.failure:
            self.met = True
            if ended.engine >= 0:
                self.engines.add(ended.engine)
        elif not self.unmet:
            self.unmet = f"task {ended.numbers.start} {_how(ended)}"

    @property
    def obstacle(self) -> str:
        return self.unmet if self.needs.every or not (self.met or self.left) else ""

    @property
    def ready(self) -> bool:
        """Whether it is met, if nothing is in its way."""
        return not self.left or (self.met and not self.needs.every)


class Follow(After):
    """A need in time and place: to run where those ran that ended in the right way. `targets` are the only engines there are to it."""

    verb = "follow"

    def __init__(self, needs: Needs, targets: tuple[int, ...]) -> None:
        super().__init__(needs)
        self.targets = targets

    @property
    def engines_left(self) -> tuple[int, ...]:
        """Those that it may go to as far as is known."""
        return tuple(sorted(self.engines.intersection(self.targets or self.engines)))

    @property
    def obstacle(self) -> str:
        where = places(sorted(self.engines))
        if lost := super().obstacle:
            return lost
        if self.needs.every and len(self.engines) > 1:
            return f"they ran on {where}, not on one and the same"
        if not self.met or self.engines_left or (self.left and not (self.needs.every and self.engines)):
            return ""
        return f"they ran on {where}, which is none of its targets" if self.engines else "they ran nowhere"

    @property
    def ready(self) -> bool:
        return super().ready and (not self.met or bool(self.engines_left))


def _how(ended: Ended) -> str:
    if ended.status == OK:
        return "ended well"
    if ended.status == ABORTED:
        return "was cancelled"
    return f"failed: {ended.error}" if ended.error else "failed"


class Parked:
    """Something that waits for others to end."""

    def __init__(self, entry: Entry) -> None:
        terms = entry.submit.terms
        self.numbers = entry.numbers  # of its tasks, as it came
        self.entries: list[Entry] = [entry]  # what is left of it
        self.after = After(terms.after) if terms.after is not None else None
        self.follow = Follow(terms.follow, terms.targets) if terms.follow is not None else None

    @property
    def needs(self) -> list[After]:
        return [need for need in (self.after, self.follow) if need is not None]


class Parking:
    """All that is parked."""

    def __init__(self) -> None:
        self.parked: dict[Parked, None] = {}  # in the order in which they came
        self.news: deque[Ended] = deque()  # of tasks that have ended, which has not been told to those that need them
        self._nodes: dict[int, dict[int, dict[After, Parked]]] = {}  # needs by level and index; none of them empty
        self._by_task: Register[Parked] = Register()  # by the tasks that are parked

    def __bool__(self) -> bool:
        return bool(self.parked)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for parked in self.parked for entry in parked.entries)

    def park(self, entry: Entry, outcomes: Outcomes) -> Parked:
        """Let something wait for others, of which some may have ended."""
        parked = Parked(entry)
        self.parked[parked] = None
        self._by_task.enter(parked.numbers, parked)
        for need in parked.needs:
            for numbers in need.ranges:
                for ended in outcomes.within(numbers):
                    need.tell(ended)
                for level, index in nodes_of(numbers.start, numbers.stop):
                    self._nodes.setdefault(level, {}).setdefault(index, {})[need] = parked
        return parked

    def leave(self, parked: Parked) -> None:
        """It waits for others no more."""
        del self.parked[parked]
        self._by_task.strike(parked.numbers, parked)
        for need in parked.needs:
            for numbers in need.ranges:
                for level, index in nodes_of(numbers.start, numbers.stop):
                    self._forget(need, level, index)
        if not self.parked:
            self.news.clear()

    def _forget(self, need: After, level: int, index: int) -> None:
        nodes = self._nodes[level]
        del nodes[index][need]
        if not nodes[index]:
            del nodes[index]
        if not nodes:
            del self._nodes[level]

    def tell(self, ended: Ended) -> list[Parked]:
        """Tell those that need tasks which have ended; they are returned, each once."""
        told: dict[Parked, None] = {}
        first, stop = ended.numbers.start, ended.numbers.stop
        for level, nodes in self._nodes.items():
            shift = level * BITS
            for index in _indices(nodes, first >> shift, ((stop - 1) >> shift) + 1):
                there = range(max(first, index << shift), min(stop, (index + 1) << shift))
                part = ended._replace(numbers=there)
                for need, parked in nodes[index].items():
                    need.tell(part)
                    told[parked] = None
        return list(told)

    def among(self, numbers: range) -> Iterator[Entry]:
        """All that has some of these tasks."""
        there = self._by_task.around(numbers)
        return (entry for parked in there for entry in parked.entries if overlap(entry.numbers, numbers))

    def take_out(self, numbers: set[int]) -> list[Task]:
        """Those of these tasks that are parked, in order; they are not any more."""
        taken: list[Task] = []
        there = {parked for number in numbers for parked in self._by_task.near(number) if number in parked.numbers}
        for parked in sorted(there, key=lambda parked: parked.numbers.start):
            parked.entries = [part for entry in parked.entries for part in without(entry, numbers, taken)]
            if not parked.entries:
                self.leave(parked)
        return taken

    def check(self) -> None:
        """What is always true of it."""
        there = {need: parked for nodes in self._nodes.values() for node in nodes.values() for need, parked in node.items()}
        assert all(parked in self.parked for parked in there.values()), "something is told of tasks although it is not parked"
        assert all(parked.entries for parked in self.parked), "nothing is parked"
        self._by_task.check({parked: parked.numbers for parked in self.parked})
        if not self.news:
            assert all(need.left >= 0 for parked in self.parked for need in parked.needs), "a need was told twice of a task"
            assert all(not need.obstacle for parked in self.parked for need in parked.needs), "what cannot be met is waited for"
            assert all(any(not need.ready for need in parked.needs) for parked in self.parked), "something waits although its needs are met"


def nodes_of(first: int, stop: int) -> Iterator[tuple[int, int]]:
    """The fewest nodes, each by level and index, that stand for numbers from `first` up to `stop`."""
    level, size = 0, 1 << BITS
    while first < stop:
        while first < stop and first % size:
            yield level, first
            first += 1
        while first < stop and stop % size:
            stop -= 1
            yield level, stop
        level, first, stop = level + 1, first // size, stop // size


def _indices(nodes: dict[int, dict[After, Parked]], first: int, stop: int) -> list[int]:
    """The nodes that are there from an index on up to another."""
    if stop - first <= len(nodes):
        return [index for index in range(first, stop) if index in nodes]
    return [index for index in sorted(nodes) if first <= index < stop]
