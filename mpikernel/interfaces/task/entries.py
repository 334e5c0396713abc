"""Tasks that have not ended, as they came: by themselves, or many as one batch. Plain data.

Tasks that were submitted together are kept as one batch, and stretches of it wait, are handed out and come back as one.
A task of a batch becomes a `Task` of its own only when something becomes of it alone: it failed, or was cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf

from msgspec import Struct, field

from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Done, Submit, SubmitBatch
from mpikernel.wire.terms import Terms


class Failure(Struct, eq=False):
    """How a run of a task failed, as its engine told it."""

    done: Done
    frames: Sequence[Frame]
    attempt: int


class Refusal(Struct, eq=False):
    """That an engine does not take a task."""

    times: int  # it has said so
    reason: str  # that it gave last
    until: float  # it is not asked again before (seconds since the epoch)


class Task(Struct, eq=False):
    """A task that has not ended. Its frames are opaque; they are passed on as they came."""

    submit: Submit
    client: int  # rank that submitted it and gets its result
    function: Sequence[Frame]
    arguments: Sequence[Frame]
    allowed: tuple[int, ...]  # engines that it may go to; empty for any
    targets: tuple[int, ...]  # those of them that are asked at present
    attempt: int = 1
    engine: int = -1  # that has it; -1 while it waits
    place: int = -1  # in the order in which tasks began to wait
    failure: Failure | None = None  # of its last run, if it ran
    batch: int = -1  # it came with
    refusals: dict[int, Refusal] = field(default_factory=dict)  # by engine
    recovery: Sequence[Frame] = ()  # the function that its terms name, until it is called
    spoilt: Failure | None = None  # its last run but for that of its recovery, once that is to run
    deaths: tuple[str, ...] = ()  # of engines that had it when they died, and may have died of it
    told: bool = False  # those that depend on it know that it ended well; its result was lost, so it runs again

    @property
    def alone(self) -> bool:
        """Whether an engine that has it is to have nothing else: should that one die, it is known of what."""
        return bool(self.deaths)

    @property
    def count(self) -> int:
        return 1

    @property
    def numbers(self) -> range:
        return range(self.submit.task, self.submit.task + 1)

    @property
    def parts(self) -> tuple[Task, ...]:
        """As of a Stretch."""
        return (self,)

    def has(self, number: int) -> bool:
        """As of a Stretch."""
        return number == self.submit.task

    def singles(self) -> list[Task]:
        """Its tasks, each by itself."""
        return [self]

    @property
    def name(self) -> str:
        """What it is called where it runs, and in errors."""
        return self.submit.label if self.spoilt is None else f"the recovery of {self.submit.label}"

    @property
    def deadline(self) -> float:
        """When it has waited too long (seconds since the epoch)."""
        return deadline(self.submit.terms, self.submit.submitted) if self.failure is None else inf


class Batch(Struct, eq=False):
    """Consecutive tasks that came together. `open` are those that have not ended."""

    submit: SubmitBatch
    client: int
    function: Sequence[Frame]
    data: Frame
    ends: Sequence[int]  # of each task's piece of data
    came: float  # seconds since the epoch
    open: set[int]
    allowed: tuple[int, ...]  # as of a Task
    recovery: Sequence[Frame]  # the function that its terms name

    @property
    def targets(self) -> tuple[int, ...]:
        """As of a Task."""
        return self.allowed

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
        arguments, engines = [self.data[begin:end]], self.allowed
        return Task(submit, self.client, self.function, arguments, engines, engines, batch=whole.first, recovery=self.recovery)


class Stretch(Struct, eq=False):
    """Consecutive tasks of a batch that wait."""

    whole: Batch
    numbers: range
    place: int = -1
    gone: set[int] = field(default_factory=set)  # of these, some that wait no more; neither the first nor the last
    alone = False  # as of a Task

    @property
    def submit(self) -> SubmitBatch:
        return self.whole.submit

    @property
    def targets(self) -> tuple[int, ...]:
        return self.whole.allowed

    @property
    def allowed(self) -> tuple[int, ...]:
        """As of a Task."""
        return self.whole.allowed

    @property
    def count(self) -> int:
        return len(self.numbers) - len(self.gone)

    @property
    def parts(self) -> Sequence[Stretch]:
        """What it has, without gaps."""
        if not self.gone:
            return (self,)
        return [Stretch(self.whole, run, self.place) for run in runs(number for number in self.numbers if number not in self.gone)]

    def has(self, number: int) -> bool:
        """Whether a task is one of those that wait."""
        return number in self.numbers and number not in self.gone

    def single(self, number: int) -> Task:
        """One of its tasks, by itself, in its place."""
        task = self.whole.single(number)
        task.place = self.place
        return task

    def drop(self, numbers: Iterable[int]) -> None:
        """Some of its tasks wait no more."""
        self.gone.update(numbers)
        self._keep(self.numbers)

    def take_first(self, count: int) -> Stretch:
        """Its first tasks wait no more: those before a gap, at most `count`."""
        numbers = self.numbers[:count]
        end = next((number for number in numbers if number in self.gone), numbers.stop) if self.gone else numbers.stop
        self._keep(range(end, self.numbers.stop))
        return Stretch(self.whole, range(numbers.start, end), self.place)

    def _keep(self, numbers: range) -> None:
        """What it has is among these: it begins and ends with one that waits."""
        first, stop, gone = numbers.start, numbers.stop, self.gone
        while first in gone:
            gone.remove(first)
            first += 1
        while stop - 1 in gone:
            stop -= 1
            gone.remove(stop)
        self.numbers = range(first, stop)

    def singles(self) -> list[Task]:
        """Its tasks, each by itself."""
        return [self.whole.single(number) for number in self.numbers]

    @property
    def deadline(self) -> float:
        """As of a Task."""
        return deadline(self.whole.submit.terms, self.whole.submit.submitted)


Entry = Task | Stretch


def deadline(terms: Terms, submitted: float) -> float:
    """When a task has waited too long for its first run."""
    return submitted + terms.queue_timeout if terms.queue_timeout else inf


def allow(entry: Entry, engines: tuple[int, ...]) -> None:
    """Say which engines something may go to from now on; of a stretch, its whole batch."""
    if isinstance(entry, Task):
        entry.allowed = entry.targets = engines
    else:
        entry.whole.allowed = engines


def without(entry: Entry, numbers: set[int], taken: list[Task]) -> Iterator[Entry]:
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
    taken.extend(entry.single(number) for number in sorted(out))
    for run in runs(number for number in entry.numbers if number not in out):
        yield Stretch(entry.whole, run, entry.place)


def overlap(some: range, others: range) -> bool:
    """Whether two have a number in common."""
    return some.start < others.stop and others.start < some.stop


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
