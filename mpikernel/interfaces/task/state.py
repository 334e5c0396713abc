"""What the task interface knows: tasks that wait, tasks that engines have, and how loaded each engine is. Plain data.

Tasks that were submitted together are kept as one batch, and stretches of it wait, are handed out and come back as one.
A task of a batch becomes a `Task` of its own only when something becomes of it alone: it failed, or was cancelled.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter

from msgspec import Struct, field

from mpikernel.interfaces.task.pace import Paces
from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Done, Submit, SubmitBatch
from mpikernel.wire.mirror import Kept, Sent
from mpikernel.wire.notebook import Notebook


class Failure(Struct, eq=False):
    """How a run of a task failed, as its engine told it."""

    done: Done
    frames: Sequence[Frame]
    attempt: int


class Task(Struct, eq=False):
    """A task that has not ended. Its frames are opaque; they are passed on as they came."""

    submit: Submit
    client: int  # rank that submitted it and gets its result
    function: Sequence[Frame]
    arguments: Sequence[Frame]
    attempt: int = 1
    engine: int = -1  # that has it; -1 while it waits
    place: int = -1  # in the order in which tasks began to wait
    failure: Failure | None = None  # of its last run, if it ran
    batch: int = -1  # it came with

    @property
    def count(self) -> int:
        return 1

    @property
    def numbers(self) -> range:
        return range(self.submit.task, self.submit.task + 1)


class Batch(Struct, eq=False):
    """Consecutive tasks that came together. `open` are those that have not ended."""

    submit: SubmitBatch
    client: int
    function: Sequence[Frame]
    data: Frame
    ends: Sequence[int]  # of each task's piece of data
    came: float  # seconds since the epoch
    open: set[int]

    def extent(self, numbers: range) -> tuple[int, int]:
        """Where the pieces of consecutive tasks begin and end in the data."""
        first = numbers.start - self.submit.first
        return (self.ends[first - 1] if first else 0), self.ends[first + len(numbers) - 1]

    def ends_of(self, numbers: range) -> bytes:
        """The ends of their pieces, as they came."""
        first = 4 * (numbers.start - self.submit.first)
        return self.submit.ends[first : first + 4 * len(numbers)]

    def single(self, number: int) -> Task:
        """One of its tasks, by itself."""
        whole = self.submit
        submit = Submit(number, whole.function, 0, whole.label, whole.submitted, False, whole.terms, whole.settled)
        begin, end = self.extent(range(number, number + 1))
        return Task(submit, self.client, self.function, [self.data[begin:end]], batch=whole.first)


class Stretch(Struct, eq=False):
    """Consecutive tasks of a batch that wait."""

    whole: Batch
    numbers: range
    place: int = -1

    @property
    def submit(self) -> SubmitBatch:
        return self.whole.submit

    @property
    def count(self) -> int:
        return len(self.numbers)


Entry = Task | Stretch


class Seat(Struct, eq=False):
    """One engine as the task interface sees it."""

    rank: int
    host: str
    sent: Sent = field(default_factory=Sent)  # functions it has been sent
    held: Counter[bytes] = field(default_factory=Counter)  # tasks it has that have not ended, by function; none of them zero
    lots: dict[int, set[int]] = field(default_factory=dict)  # those of batches, by batch; none of them empty
    heard: float = 0.0  # when it last told of a task, or got one while it had none
    recalled: bool = False  # it has been asked for tasks and has not answered; or it had none, and none of its tasks has ended since

    def take(self, function: bytes, count: int) -> None:
        """It has so many tasks more, or less."""
        self.held[function] += count
        if not self.held[function]:
            del self.held[function]

    def take_from_lot(self, batch: int, numbers: Collection[int]) -> None:
        """It does not have these tasks of a batch any more."""
        lot = self.lots[batch]
        lot.difference_update(numbers)
        if not lot:
            del self.lots[batch]


class TaskState(Struct, eq=False):
    notes: Notebook
    seats: list[Seat]  # by engine id
    waiting: dict[tuple[int, ...], deque[Entry]] = field(default_factory=dict)  # by targets, none of them empty
    lined_up: int = 0  # entries that began to wait at the end so far
    put_first: int = 0  # and at the front
    assigned: dict[int, Task] = field(default_factory=dict)  # by task id
    batches: dict[int, Batch] = field(default_factory=dict)  # that have open tasks, by their first task
    unrecorded: deque[Batch] = field(default_factory=deque)  # whose submission has not been recorded, in order
    functions: dict[int, Kept[Sequence[Frame]]] = field(default_factory=dict)  # by the client that sent them
    paces: Paces = field(default_factory=Paces)

    @property
    def in_line(self) -> list[Entry]:
        """All that waits, in order."""
        return sorted((entry for queue in self.waiting.values() for entry in queue), key=attrgetter("place"))

    def line_up(self, entry: Entry) -> None:
        """Let something wait behind all others."""
        entry.place = self.lined_up
        self.lined_up += 1
        self.waiting.setdefault(entry.submit.terms.targets, deque()).append(entry)

    def line_up_first(self, entry: Entry) -> None:
        """Let something wait before all others."""
        self.put_first += 1
        entry.place = -self.put_first
        self.waiting.setdefault(entry.submit.terms.targets, deque()).appendleft(entry)

    def take_first(self, targets: tuple[int, ...], count: int = 1) -> Entry:
        """The first of those that wait for these targets waits no more; of a stretch, its first `count` tasks."""
        queue = self.waiting[targets]
        entry = queue[0]
        if isinstance(entry, Stretch) and entry.count > count:
            taken = Stretch(entry.whole, entry.numbers[:count])
            entry.numbers = entry.numbers[count:]
            return taken
        queue.popleft()
        if not queue:
            del self.waiting[targets]
        return entry

    def take_out(self, numbers: set[int]) -> list[Task]:
        """Those of these tasks that wait, in order; they wait no more."""
        taken: list[Task] = []
        for targets, queue in list(self.waiting.items()):
            remaining = deque(part for entry in queue for part in _without(entry, numbers, taken))
            if remaining:
                self.waiting[targets] = remaining
            else:
                del self.waiting[targets]
        return sorted(taken, key=attrgetter("place"))

    def seat_of(self, rank: int) -> int:
        """The engine that is at a rank."""
        return next(engine for engine, seat in enumerate(self.seats) if seat.rank == rank)

    def close(self, batch: int, numbers: Collection[int]) -> None:
        """Tasks of a batch have ended."""
        whole = self.batches[batch]
        whole.open.difference_update(numbers)
        if not whole.open:
            del self.batches[batch]

    def check(self) -> None:
        """What is always true of it."""
        self._check_seats()
        waiting = [number for entry in self.in_line for number in entry.numbers]
        held = [*self.assigned, *(number for seat in self.seats for lot in seat.lots.values() for number in lot)]
        assert len(set(waiting)) == len(waiting), "a task waits twice"
        assert len(set(held)) == len(held), "two engines have a task"
        assert not set(waiting) & set(held), f"tasks both wait and are assigned: {set(waiting) & set(held)}"
        unended = {number for batch in self.batches.values() for number in batch.open}
        assert unended <= {*waiting, *held}, f"tasks are lost: {unended - {*waiting, *held}}"
        assert all(batch.open for batch in self.batches.values()), "a batch is kept although all its tasks have ended"
        for targets, queue in self.waiting.items():
            places = [entry.place for entry in queue]
            assert places, f"an empty queue is kept for {targets}"
            assert places == sorted(places), f"tasks for {targets} wait out of order: {places}"
            assert all(entry.submit.terms.targets == targets for entry in queue), f"a task waits for {targets} that is not its targets"
            assert all(entry.count for entry in queue), f"nothing waits for {targets}"

    def _check_seats(self) -> None:
        for engine, seat in enumerate(self.seats):
            has = Counter(task.submit.function for task in self.assigned.values() if task.engine == engine)
            for batch, lot in seat.lots.items():
                assert lot, f"an empty lot of batch {batch} is kept for engine {engine}"
                assert lot <= self.batches[batch].open, f"engine {engine} has tasks of batch {batch} that have ended"
                has[self.batches[batch].submit.function] += len(lot)
            assert has == seat.held, f"engine {engine} holds {has}, but {seat.held} is counted"


def _without(entry: Entry, numbers: set[int], taken: list[Task]) -> Iterator[Entry]:
    """What is left of something that waits without these tasks, which are added to `taken`."""
    if isinstance(entry, Task):
        if entry.submit.task not in numbers:
            yield entry
        else:
            taken.append(entry)
        return
    out = numbers.intersection(entry.numbers)
    if not out:
        yield entry
        return
    for number in sorted(out):
        task = entry.whole.single(number)
        task.place = entry.place
        taken.append(task)
    for run in runs(number for number in entry.numbers if number not in out):
        yield Stretch(entry.whole, run, entry.place)


def runs(numbers: Iterable[int]) -> Iterator[range]:
    """Numbers that come in order, as ranges of consecutive ones."""
    begin = end = -1
    for number in numbers:
        if number != end:
            if begin != end:
                yield range(begin, end)
            begin = number
        end = number + 1
    if begin != end:
        yield range(begin, end)
