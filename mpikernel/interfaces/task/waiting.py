"""The line in which tasks wait for an engine: by the engines they may go to, then by priority, then as they came.

Only the first of each queue is ever looked at, so one that fits nowhere holds up none that may go elsewhere. Any task can be taken
out of the middle, and nothing is looked through for that.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heappush

from mpikernel.interfaces.task.entries import Entry, Stretch, Task, overlap
from mpikernel.interfaces.task.register import Register

Targets = tuple[int, ...]

#: So many priorities that nothing has any more are no trouble.
FEW = 8

NONE = range(0)


class Queue:
    """Those that wait for the same engines."""

    first: Entry  # that goes next; a queue without any is not kept

    def __init__(self) -> None:
        self.count = 0  # tasks in it
        self._rows: dict[int, OrderedDict[int, Entry]] = {}  # by priority, and then by place, in order; none of them empty
        self._order: list[int] = []  # a heap of negative priorities: of all rows, and of some that are not there any more

    def __iter__(self) -> Iterator[Entry]:
        return (part for entry in self.entries for part in entry.parts)

    @property
    def entries(self) -> Iterator[Entry]:
        """What is in it as it stands, in order: of a stretch some tasks may have been taken out."""
        return (entry for priority in sorted(self._rows, reverse=True) for entry in self._rows[priority].values())

    def put_last(self, entry: Entry) -> None:
        """Let something wait behind all others of its priority."""
        priority = entry.submit.terms.priority
        row = self._rows.get(priority)
        self.count += entry.count
        if row is not None:
            row[entry.place] = entry
            return
        row = self._rows[priority] = OrderedDict()
        row[entry.place] = entry
        heappush(self._order, -priority)
        self._see_who_is_first()

    def put_first(self, entry: Entry) -> None:
        """Let something wait before all others of its priority."""
        self.put_last(entry)
        self._rows[entry.submit.terms.priority].move_to_end(entry.place, last=False)
        self._see_who_is_first()

    def take_first(self, stretch: Stretch, count: int) -> Stretch:
        """Of a stretch that is in it, the first tasks wait no more: those before a gap, at most `count`."""
        if stretch.gone or stretch.count > count:
            taken = stretch.take_first(count)
            self.count -= taken.count
            return taken
        self.remove(stretch)
        return stretch

    def take_from(self, stretch: Stretch, numbers: Collection[int]) -> None:
        """Tasks of a stretch that is in it wait no more."""
        stretch.drop(numbers)
        self.count -= len(numbers)
        if not stretch.numbers:
            self.remove(stretch)

    def remove(self, entry: Entry) -> None:
        """What is in it waits no more."""
        priority = entry.submit.terms.priority
        row = self._rows[priority]
        del row[entry.place]
        self.count -= entry.count
        if not row:
            del self._rows[priority]
            if len(self._order) > 2 * len(self._rows) + FEW:
                self._order = [-priority for priority in self._rows]
                heapify(self._order)
        if entry is self.first:
            self._see_who_is_first()

    def _see_who_is_first(self) -> None:
        while self._order and -self._order[0] not in self._rows:
            heappop(self._order)
        if self._order:
            self.first = next(iter(self._rows[-self._order[0]].values()))

    def check(self, targets: Targets) -> None:
        """What is always true of it."""
        assert self._rows, f"an empty queue is kept for {targets}"
        assert {-low for low in self._order} >= self._rows.keys(), f"nobody knows that tasks wait for {targets}"
        assert len(self._order) <= 2 * len(self._rows) + FEW + 1, f"priorities are kept that no task for {targets} has"
        assert self.first is next(iter(self._rows[max(self._rows)].values())), f"{self.first.numbers} is not the first for {targets}"
        assert self.count == sum(entry.count for entry in self)
        for priority, row in self._rows.items():
            assert row, f"nothing waits for {targets} with priority {priority}"
            assert list(row) == sorted(row), f"tasks for {targets} wait out of order: {list(row)}"
            assert all(place == entry.place for place, entry in row.items()), f"tasks for {targets} are not found in their places"
            assert all(entry.targets == targets for entry in row.values()), f"a task waits for {targets} that is not its targets"
            assert all(entry.submit.terms.priority == priority for entry in row.values())
            assert all(entry.count for entry in row.values()), f"nothing waits for {targets}"


class Line:
    """All that waits."""

    def __init__(self) -> None:
        self.queues: dict[Targets, Queue] = {}  # none of them empty
        self._by_task: Register[Entry] = Register()  # all that waits, by its tasks
        self._last = 0  # entries that began to wait at the end so far
        self._first = 0  # and at the front

    def __bool__(self) -> bool:
        return bool(self.queues)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for queue in self.queues.values() for entry in queue)

    @property
    def in_order(self) -> list[Entry]:
        """All that waits, as it would be handed out if every engine had room."""
        return sorted(self, key=in_turn)

    def put_last(self, entry: Entry) -> None:
        """Let something wait behind all others of its priority."""
        entry.place = self._last
        self._last += 1
        self._queue(entry).put_last(entry)

    def put_first(self, entry: Entry) -> None:
        """Let something wait before all others of its priority."""
        self._first += 1
        entry.place = -self._first
        self._queue(entry).put_first(entry)

    def _queue(self, entry: Entry) -> Queue:
        """The queue in which something is to wait; from now on it is found by its numbers."""
        if isinstance(entry, Task):
            self._by_task.enter_single(entry.submit.task, entry)
        else:
            self._by_task.enter(entry.numbers, entry)
        queue = self.queues.get(entry.targets)
        if queue is None:
            queue = self.queues[entry.targets] = Queue()
        return queue

    def take_first(self, targets: Targets, count: int = 1) -> Entry:
        """The first of those that wait for these targets waits no more; of a stretch, some of its first tasks, at most `count`."""
        queue = self.queues[targets]
        entry = first = queue.first
        if isinstance(first, Task):
            self._by_task.strike_single(first.submit.task)
            queue.remove(first)
        else:
            before = first.numbers
            entry = queue.take_first(first, count)
            self._by_task.change(before, NONE if entry is first else first.numbers, first)
        if not queue.count:
            del self.queues[targets]
        return entry

    def among(self, numbers: range) -> Iterator[Entry]:
        """All that has some of these tasks."""
        there = self._by_task.around(numbers)
        return (part for entry in there for part in entry.parts if overlap(part.numbers, numbers))

    def take_out(self, numbers: set[int]) -> list[Task]:
        """Those of these tasks that wait, as they came; they wait no more."""
        parts: defaultdict[Entry, list[int]] = defaultdict(list)
        for number in numbers:
            for entry in self._by_task.near(number):
                if entry.has(number):
                    parts[entry].append(number)
        taken = [task for entry, there in parts.items() for task in self._take_out_of(entry, there)]
        return sorted(taken, key=lambda task: (task.place, task.submit.task))

    def _take_out_of(self, entry: Entry, numbers: list[int]) -> list[Task]:
        """Tasks of an entry wait no more."""
        queue = self.queues[entry.targets]
        if isinstance(entry, Task):
            self._by_task.strike_single(entry.submit.task)
            queue.remove(entry)
            taken = [entry]
        else:
            taken, before = [entry.single(number) for number in numbers], entry.numbers
            queue.take_from(entry, numbers)
            self._by_task.change(before, entry.numbers, entry)
        if not queue.count:
            del self.queues[entry.targets]
        return taken

    def check(self) -> None:
        """What is always true of it."""
        for targets, queue in self.queues.items():
            queue.check(targets)
        self._by_task.check({entry: entry.numbers for queue in self.queues.values() for entry in queue.entries})


def in_turn(entry: Entry) -> tuple[int, int]:
    """What is smaller goes first."""
    return -entry.submit.terms.priority, entry.place
