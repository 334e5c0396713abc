"""The line in which tasks wait for an engine: by the engines they may go to, then by priority, then as they came.

Only the first of each queue is ever looked at, so one that fits nowhere holds up none that may go elsewhere.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from operator import attrgetter

from mpikernel.interfaces.task.entries import Entry, Stretch, Task, without

Targets = tuple[int, ...]


class Queue:
    """Those that wait for the same engines."""

    def __init__(self) -> None:
        self.count = 0  # tasks in it
        self._rows: dict[int, deque[Entry]] = {}  # by priority, none of them empty
        self._order: list[int] = []  # negative priorities, so the highest comes first

    def __iter__(self) -> Iterator[Entry]:
        return (entry for low in self._order for entry in self._rows[-low])

    @property
    def first(self) -> Entry:
        return self._rows[-self._order[0]][0]

    def row(self, priority: int) -> deque[Entry]:
        """Those of a priority, to which one is added now."""
        row = self._rows.get(priority)
        if row is None:
            row = self._rows[priority] = deque()
            insort(self._order, -priority)
        return row

    def take_first(self, count: int) -> Entry:
        """The first waits no more; of a stretch, its first `count` tasks."""
        row = self._rows[-self._order[0]]
        entry = row[0]
        if isinstance(entry, Stretch) and entry.count > count:
            taken = Stretch(entry.whole, entry.numbers[:count])
            entry.numbers = entry.numbers[count:]
            self.count -= count
            return taken
        row.popleft()
        self.count -= entry.count
        if not row:
            del self._rows[-self._order.pop(0)]
        return entry

    def take_out(self, numbers: set[int], taken: list[Task]) -> None:
        """Those of these tasks that are in it wait no more; they are added to `taken`."""
        before = len(taken)
        for priority, row in self._rows.items():
            self._rows[priority] = deque(part for entry in row for part in without(entry, numbers, taken))
        self.count -= len(taken) - before
        self._rows = {priority: row for priority, row in self._rows.items() if row}
        self._order = sorted(-priority for priority in self._rows)

    def check(self, targets: Targets) -> None:
        """What is always true of it."""
        assert self._rows, f"an empty queue is kept for {targets}"
        assert self._order == sorted(-priority for priority in self._rows)
        assert self.count == sum(entry.count for entry in self)
        for priority, row in self._rows.items():
            places = [entry.place for entry in row]
            assert places, f"nothing waits for {targets} with priority {priority}"
            assert places == sorted(places), f"tasks for {targets} wait out of order: {places}"
            assert all(entry.targets == targets for entry in row), f"a task waits for {targets} that is not its targets"
            assert all(entry.submit.terms.priority == priority for entry in row)
            assert all(entry.count for entry in row), f"nothing waits for {targets}"


class Line:
    """All that waits."""

    def __init__(self) -> None:
        self.queues: dict[Targets, Queue] = {}  # none of them empty
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
        queue = self._queue(entry)
        queue.row(entry.submit.terms.priority).append(entry)
        queue.count += entry.count

    def put_first(self, entry: Entry) -> None:
        """Let something wait before all others of its priority."""
        self._first += 1
        entry.place = -self._first
        queue = self._queue(entry)
        queue.row(entry.submit.terms.priority).appendleft(entry)
        queue.count += entry.count

    def _queue(self, entry: Entry) -> Queue:
        queue = self.queues.get(entry.targets)
        if queue is None:
            queue = self.queues[entry.targets] = Queue()
        return queue

    def take_first(self, targets: Targets, count: int = 1) -> Entry:
        """The first of those that wait for these targets waits no more; of a stretch, its first `count` tasks."""
        queue = self.queues[targets]
        entry = queue.take_first(count)
        if not queue.count:
            del self.queues[targets]
        return entry

    def take_out(self, numbers: set[int]) -> list[Task]:
        """Those of these tasks that wait, as they came; they wait no more."""
        taken: list[Task] = []
        for targets, queue in list(self.queues.items()):
            queue.take_out(numbers, taken)
            if not queue.count:
                del self.queues[targets]
        return sorted(taken, key=attrgetter("place"))

    def check(self) -> None:
        """What is always true of it."""
        for targets, queue in self.queues.items():
            queue.check(targets)


def in_turn(entry: Entry) -> tuple[int, int]:
    """What is smaller goes first."""
    return -entry.submit.terms.priority, entry.place
