"""What the task interface knows: tasks that wait, tasks that engines have, and how loaded each engine is. Plain data."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from math import inf
from operator import attrgetter

from msgspec import Struct, field

from mpikernel.interfaces.task.deadlines import Deadlines
from mpikernel.interfaces.task.entries import Batch, Entry, Task
from mpikernel.interfaces.task.keeping import Keeping
from mpikernel.interfaces.task.needs import Parking
from mpikernel.interfaces.task.outcomes import Ended, Outcomes
from mpikernel.interfaces.task.pace import HORIZON, MOST, Paces, enough
from mpikernel.interfaces.task.policies import Policy, policy_named
from mpikernel.interfaces.task.seats import Seat
from mpikernel.interfaces.task.waiting import Line
from mpikernel.wire.arguments import CACHE
from mpikernel.wire.envelope import Frame
from mpikernel.wire.mirror import Kept
from mpikernel.wire.notebook import Notebook

_rank_of = attrgetter("rank")


class TaskState(Struct, eq=False):
    """See the module. `policy` is the name of one of `policies`; a UsageError if there is none."""

    notes: Notebook
    seats: list[Seat]  # by engine id
    policy: str = "leastload"
    crash_limit: int = 3  # engines that may die of a task
    argument_cache: int = CACHE  # bytes of each client's
    waiting: Line = field(default_factory=Line)
    resting: dict[int, Task] = field(default_factory=dict)  # by task id: were refused, some time ago; or are about to be cancelled
    pauses: list[tuple[float, int]] = field(default_factory=list)  # a heap: when a refused task may be offered to one more engine
    pausing: dict[int, Task] = field(default_factory=dict)  # those tasks, by task id; some of them have ended since
    parking: Parking = field(default_factory=Parking)  # what waits for other tasks
    look: float = inf  # when something is due with what waits
    deadlines: Deadlines = field(default_factory=Deadlines)  # of what waits, and of some that has begun since or ended
    unwanted: set[int] = field(default_factory=set)  # of those that engines have, what is to be interrupted: it is not tried again
    batches: dict[int, Batch] = field(default_factory=dict)  # that have open tasks, by their first task
    outcomes: Outcomes = field(default_factory=Outcomes)
    unrecorded: deque[Batch] = field(default_factory=deque)  # whose submission has not been recorded, in order
    keeping: Keeping = field(default_factory=lambda: Keeping(0, 0))
    functions: defaultdict[int, Kept[Sequence[Frame]]] = field(default_factory=lambda: defaultdict(Kept))  # by the client that sent them
    arguments: dict[int, Kept[Frame]] = field(default_factory=dict)  # by the same
    paces: Paces = field(default_factory=Paces)
    mortal: bool = False  # an engine may die and the world go on
    bereft: bool = False  # one has
    changed: bool = False  # something has, by which engines may be given tasks
    recalled: float = 0.0  # when it was last seen to that who has nothing to do gets what others have not begun
    handed: int = 0  # how often tasks have been handed out
    placing: Policy = field(default_factory=lambda: policy_named("leastload"))

    def __post_init__(self) -> None:
        self.placing = policy_named(self.policy)

    @property
    def idle_entries(self) -> Iterator[Entry]:
        """All that no engine has."""
        yield from self.waiting
        yield from self.resting.values()
        yield from self.parking

    def line_up(self, entry: Entry) -> None:
        """Let something wait behind all others of its priority."""
        self.waiting.put_last(entry)
        self.heed(entry)

    def line_up_first(self, entry: Entry) -> None:
        """Let something wait before all others of its priority."""
        self.waiting.put_first(entry)
        self.heed(entry)

    def heed(self, entry: Entry) -> None:
        """Look in time whether something has waited too long."""
        deadline = entry.deadline
        if deadline < inf:
            self.deadlines.put(deadline, entry.numbers, self.outcomes.all_ended)
            self.look = min(self.look, deadline)

    def idle_among(self, numbers: range) -> Iterator[Entry]:
        """All that no engine has, and that has some of these tasks."""
        yield from self.waiting.among(numbers)
        if self.resting:
            yield from (self.resting[number] for number in numbers if number in self.resting)
        if self.parking:
            yield from self.parking.among(numbers)

    def take_out(self, numbers: set[int]) -> list[Task]:
        """Those of these tasks that no engine has; they wait no more."""
        resting = [self.resting.pop(number) for number in sorted(numbers & self.resting.keys())] if self.resting else []
        return self.waiting.take_out(numbers) + resting + (self.parking.take_out(numbers) if self.parking else [])

    def work(self, engine: int) -> float:
        """Seconds that an engine will be busy, as far as can be told."""
        return self.paces.work(self.seats[engine].held)

    def turn(self, engine: int) -> int:
        """When an engine was given something last: a number that grows."""
        return self.seats[engine].turn

    def work_beside(self, engine: int, now: float) -> float | None:
        """Seconds that an engine will be busy, as far as can be told, if it may be given another task; else None."""
        seat = self.seats[engine]
        if seat.seized or seat.closed or seat.count >= self.placing.ahead:
            return None
        work = self.paces.work(seat.held)
        if enough(work, seat.count):
            return None
        return work if now >= seat.spared else work + HORIZON  # more than any other

    def room(self, engine: int, function: bytes) -> int:
        """How many tasks of a function an engine may be given."""
        seat = self.seats[engine]
        if seat.seized or seat.closed:
            return 0
        room = self.paces.room(function, seat.held, seat.count)
        return room if self.placing.ahead == MOST else max(0, min(room, self.placing.ahead - seat.count))

    def seat_of(self, rank: int) -> int:
        """The engine that is at a rank; engines are counted in the order of their ranks."""
        return bisect_left(self.seats, rank, key=_rank_of)

    def alive(self, engines: Sequence[int] = ()) -> list[int]:
        """Those of these engines, or of all if there are none, that have not died."""
        return [engine for engine in engines or range(len(self.seats)) if not self.seats[engine].lost]

    def ended(self, ended: Ended) -> None:
        """Tasks have ended, of a batch or by themselves."""
        if self.parking:
            self.parking.news.append(ended)
        self.ended_again(ended)

    def ended_again(self, ended: Ended) -> None:
        """Tasks have ended of which that was told before."""
        self.outcomes.put(ended)
        if self.unwanted:
            self.unwanted.difference_update(ended.numbers)

    def close(self, batch: int, numbers: Collection[int]) -> None:
        """Tasks of a batch have ended."""
        whole = self.batches[batch]
        whole.open.difference_update(numbers)
        if not whole.open:
            del self.batches[batch]

    def check(self) -> None:
        """What is always true of it."""
        self._check_seats()
        self.waiting.check()
        self.parking.check()
        waiting = [number for entry in self.idle_entries for number in entry.numbers]
        held = [number for seat in self.seats for number in seat.given]
        assert len(set(waiting)) == len(waiting), "a task waits twice"
        assert len(set(held)) == len(held), "two engines have a task"
        assert not set(waiting) & set(held), f"tasks both wait and are assigned: {set(waiting) & set(held)}"
        unended = {number for batch in self.batches.values() for number in batch.open}
        assert unended <= {*waiting, *held}, f"tasks are lost: {unended - {*waiting, *held}}"
        assert all(batch.open for batch in self.batches.values()), "a batch is kept although all its tasks have ended"
        self._check_deadlines()
        assert self.resting.keys() <= {*self.unwanted, *self.pausing}, "nobody looks when a refused task may be tried again"
        assert self.unwanted <= {*waiting, *held}, "it is remembered of tasks that have ended that they were to be interrupted"

    def _check_deadlines(self) -> None:
        self.deadlines.check()
        assert self.look <= self.deadlines.next or self.look < inf, "nobody looks when a task has waited too long"
        heeded = {(deadline, number) for deadline, numbers in self.deadlines for number in numbers}
        for entry in self.idle_entries:
            if entry.deadline < inf and not self.unwanted.issuperset(entry.numbers):  # what is about to be cancelled does not wait long
                assert all((entry.deadline, number) in heeded for number in entry.numbers), f"nobody looks how long {entry.numbers} waits"

    def _check_seats(self) -> None:
        for engine, seat in enumerate(self.seats):
            assert not (seat.lost and seat.held), f"engine {engine} has died and holds {seat.held}"
            assert seat.closed or not seat.lost, f"engine {engine} has died and is given tasks"
            assert not seat.closed or seat.lost or seat.count == 1, f"engine {engine} is given nothing, but has nothing alone"
            for number, entry in seat.given.items():
                if isinstance(entry, Batch):
                    assert number in entry.open, f"engine {engine} has a task of batch {entry.submit.first} that has ended"
                else:
                    assert entry.engine == engine, f"engine {engine} has a task that believes that engine {entry.engine} has it"
            has = Counter(entry.submit.function for entry in seat.given.values())
            reach = Counter(entry.targets for entry in seat.given.values())
            assert has == seat.held, f"engine {engine} holds {has}, but {seat.held} is counted"
            assert reach == seat.reach, f"the tasks of engine {engine} may go to {reach}, but {seat.reach} is counted"
            assert seat.asked | seat.begun <= seat.given.keys(), f"engine {engine} was asked for tasks that it does not have"
            assert not seat.asked & seat.begun, f"engine {engine} has answered for tasks that it is asked for"
