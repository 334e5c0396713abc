"""What the task interface knows: tasks that wait, tasks that engines have, and how loaded each engine is. Plain data."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import attrgetter

from msgspec import Struct, field

from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Done, Submit
from mpikernel.wire.mirror import Kept, Sent
from mpikernel.wire.notebook import Notebook

#: Tasks an engine holds beyond the one it runs, so that it need not wait for the next.
AHEAD = 1


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


class Seat(Struct, eq=False):
    """One engine as the task interface sees it."""

    rank: int
    host: str
    held: int = 0  # tasks it has that have not ended
    sent: Sent = field(default_factory=Sent)  # functions it has been sent


class TaskState(Struct, eq=False):
    notes: Notebook
    seats: list[Seat]  # by engine id
    waiting: dict[tuple[int, ...], deque[Task]] = field(default_factory=dict)  # by targets, none of them empty
    lined_up: int = 0  # tasks that began to wait so far
    assigned: dict[int, Task] = field(default_factory=dict)  # by task id
    functions: dict[int, Kept[Sequence[Frame]]] = field(default_factory=dict)  # by the client that sent them

    @property
    def in_line(self) -> list[Task]:
        """All tasks that wait, in order."""
        return sorted((task for queue in self.waiting.values() for task in queue), key=attrgetter("place"))

    def line_up(self, task: Task) -> None:
        """Let a task wait behind all others."""
        task.place = self.lined_up
        self.lined_up += 1
        self.waiting.setdefault(task.submit.targets, deque()).append(task)

    def take_first(self, targets: tuple[int, ...]) -> Task:
        """The first of those that wait for these targets waits no more."""
        queue = self.waiting[targets]
        task = queue.popleft()
        if not queue:
            del self.waiting[targets]
        return task

    def take_out(self, numbers: set[int]) -> list[Task]:
        """Those of these tasks that wait, in order; they wait no more."""
        taken = [task for task in self.in_line if task.submit.task in numbers]
        for targets in {task.submit.targets for task in taken}:
            remaining = deque(task for task in self.waiting.pop(targets) if task.submit.task not in numbers)
            if remaining:
                self.waiting[targets] = remaining
        return taken

    def check(self) -> None:
        """What is always true of it."""
        held = [sum(task.engine == engine for task in self.assigned.values()) for engine in range(len(self.seats))]
        assert held == [seat.held for seat in self.seats], f"engines hold {held}, but {[seat.held for seat in self.seats]} is counted"
        waiting = {task.submit.task for task in self.in_line}
        assert len(waiting) == len(self.in_line), "a task waits twice"
        assert not waiting & self.assigned.keys(), f"tasks both wait and are assigned: {waiting & self.assigned.keys()}"
        for targets, queue in self.waiting.items():
            places = [task.place for task in queue]
            assert places, f"an empty queue is kept for {targets}"
            assert places == sorted(set(places)), f"tasks for {targets} wait out of order: {places}"
            assert all(task.submit.targets == targets for task in queue), f"a task waits for {targets} that is not its targets"
