"""What the task interface knows: tasks that wait, tasks that engines have, and how loaded each engine is. Plain data."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct, field

from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Submit
from mpikernel.wire.mirror import Kept, Sent
from mpikernel.wire.notebook import Notebook

#: Tasks an engine holds beyond the one it runs, so that it need not wait for the next.
AHEAD = 1


class Task(Struct, eq=False):
    """A task that has not ended. Its frames are opaque; they are passed on as they came."""

    submit: Submit
    client: int  # rank that submitted it and gets its result
    function: Sequence[Frame]
    arguments: Sequence[Frame]
    attempt: int = 1
    engine: int = -1  # that has it; -1 while it waits


class Seat(Struct, eq=False):
    """One engine as the task interface sees it."""

    rank: int
    host: str
    held: int = 0  # tasks it has that have not ended
    sent: Sent = field(default_factory=Sent)  # functions it has been sent


class TaskState(Struct, eq=False):
    notes: Notebook
    seats: list[Seat]  # by engine id
    waiting: deque[Task] = field(default_factory=deque)
    assigned: dict[int, Task] = field(default_factory=dict)  # by task id
    functions: dict[int, Kept[Sequence[Frame]]] = field(default_factory=dict)  # by the client that sent them

    def check(self) -> None:
        """What is always true of it."""
        held = [sum(task.engine == engine for task in self.assigned.values()) for engine in range(len(self.seats))]
        assert held == [seat.held for seat in self.seats], f"engines hold {held}, but {[seat.held for seat in self.seats]} is counted"
        waiting = {task.submit.task for task in self.waiting}
        assert len(waiting) == len(self.waiting), "a task waits twice"
        assert not waiting & self.assigned.keys(), f"tasks both wait and are assigned: {waiting & self.assigned.keys()}"
