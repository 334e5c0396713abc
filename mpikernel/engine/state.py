"""What an engine knows: the calls it has been given, and the functions they name. Plain data."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct, field

from mpikernel.arrays.shared_memory import Area
from mpikernel.errors import SerializeError
from mpikernel.wire.arguments import keep_arguments
from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Apply, Clear, Execute, Gather, Give, Keys, Pull, Push, PushShared, RunBatch
from mpikernel.wire.mirror import Kept

Command = Apply | RunBatch | Execute | Push | PushShared | Pull | Keys | Clear | Gather


class Function(Struct, eq=False):
    """A function as it came; rebuilt when it is first called, in the main thread, because that may run user code."""

    frames: Sequence[Frame]
    loaded: tuple[Any, dict[str, Any]] | None = None  # the callable, and what it captured


class Promise(Struct, eq=False):
    """A large array that a gather has found and described; it goes when it is asked for, or before anything may change it."""

    value: Any
    asked: Give | None = None


class Job(Struct, eq=False):
    """A call that has not ended."""

    command: Command
    sender: int  # rank that gave it to this engine
    frames: Sequence[Frame]
    function: Function | None  # of an Apply
    promise: Promise | None = None  # of a Gather that has been described

    @property
    def client(self) -> int:
        """The rank that gets the result."""
        return self.command.client if isinstance(self.command, Apply | RunBatch) else self.sender

    @property
    def is_task(self) -> bool:
        return isinstance(self.command, Apply) and self.command.attempt > 0


class BatchJob(Job, eq=False):
    """Consecutive tasks that came as one. Whoever takes one out of `pending` has it: to run it, or to give it back.

    Both happen at once, in two threads, without the loop's lock: taking one out of a deque is one step.
    """

    pending: deque[int] = field(default_factory=deque)  # tasks that have not begun, in order
    ends: Sequence[int] = ()  # of their pieces in the frame, and where that would have begun: the ends are counted from there

    @property
    def label(self) -> str:
        """What the tasks are called in errors."""
        assert isinstance(self.command, RunBatch)
        return self.command.label

    def pieces(self) -> Callable[[int], memoryview]:
        """What tells what each task is called with."""
        assert isinstance(self.command, RunBatch)
        ends, data, first, base = self.ends, memoryview(self.frames[0]), self.command.call, self.command.base

        def piece(number: int) -> memoryview:
            index = number - first
            return data[(ends[index - 1] if index else base) - base : ends[index] - base]

        return piece

    def single(self, number: int) -> Job:
        """One of its tasks, by itself."""
        command = self.command
        assert isinstance(command, RunBatch)
        apply = Apply(number, command.client, command.function, 0, command.label, 1, False, command.timeout)
        return Job(apply, self.sender, [self.pieces()(number)], self.function)


#: What came of a task of a batch, to be sent with others: its batch, its number, its result's pickle, and when it began and ended
#: (seconds since the epoch). A plain tuple, of which there are a hundred thousand a second.
Result = tuple[BatchJob, int, Frame, float, float]
JOB: Final = 0
NUMBER: Final = 1
PICKLE: Final = 2
STARTED: Final = 3
COMPLETED: Final = 4


class Sharing(Struct, eq=False):
    """What an engine has of memory that its host shares."""

    found: dict[int, Sequence[Frame] | SerializeError] = field(default_factory=dict)  # frames that wait for their push, by call
    made: dict[int, Area] = field(default_factory=dict)  # where it leads, by its own call
    unwanted: set[int] = field(default_factory=set)  # calls that were dropped before their frames were found

    def drop(self, call: int) -> None:
        """A push is not to be: let go of its frames, now or when they are found."""
        if self.found.pop(call, None) is None:
            self.unwanted.add(call)

    def take(self, command: PushShared, came: Sequence[Frame]) -> list[Frame]:
        """All frames of a push: those that came with it, and those that are shared.

        Raises:
            SerializeError: they could not be shared.
        """
        found = self.found.pop(command.call)
        if isinstance(found, SerializeError):
            raise found
        shared, along = iter(found), iter(came)
        return [next(shared if size else along) for size in command.sizes]


#: Why a call is interrupted.
CANCELLED, TIMEOUT, INTERRUPTED = "cancelled", "timeout", "interrupted"


class Cut(Struct, eq=False):
    """A call that is to be interrupted while it runs."""

    call: int
    why: str
    tries: int = 0
    asked: float = 0.0  # when the last of them was (seconds since the epoch)
    unheard: int = 0  # of them, since one was raised last
    raised: bool = False  # one of them has been


class EngineState(Struct, eq=False):
    id: int
    rank: int
    host: str
    queue: deque[Job] = field(default_factory=deque)  # have not begun
    running: Job | None = None
    call: int = -1  # the running job's, or of a batch the task, that was begun last; set without the loop's lock, as is the next
    since: float = 0.0  # when it began (seconds since the epoch)
    unwanted: set[int] = field(default_factory=set)  # calls of the running job that are cancelled although they have begun
    cut: Cut | None = None
    seized: int = -1  # the task that was given up although it runs; see giving_up.py
    sharing: Sharing = field(default_factory=Sharing)
    promised: dict[int, Job] = field(default_factory=dict)  # gathers that have been described, by call
    results: list[Result] = field(default_factory=list)  # that have not been sent; added to without the loop's lock
    sent: float = 0.0  # when the last of those that were sent had ended
    functions: defaultdict[tuple[int, bool], Kept[Function]] = field(
        default_factory=lambda: defaultdict(Kept)
    )  # by the rank that sent them, and whether for tasks
    arguments: Kept[Frame] = field(default_factory=keep_arguments)  # of tasks

    @property
    def due(self) -> Job | None:
        """What is to run next: what was promised comes before all that may change it, and looking at a name changes nothing."""
        first = self.queue[0] if self.queue else None
        if first is not None and isinstance(first.command, PushShared) and first.command.call not in self.sharing.found:
            first = None
        if not self.promised:
            return first
        promised = list(self.promised.values())
        if first is not None and not isinstance(first.command, Gather):
            return promised[0]
        return next((job for job in promised if job.promise and job.promise.asked), first)

    def begin(self) -> Job | None:
        """Take what is to run next, if there is anything."""
        job = self.due
        if job is None:
            return None
        if job.promise is not None:
            del self.promised[job.command.call]
        else:
            self.queue.popleft()
        self.running, self.call, self.cut = job, -1, None
        self.unwanted.clear()
        return job

    @property
    def begun(self) -> int:
        """The number of the call that runs; -1 if there is none."""
        if self.running is None or isinstance(self.running, BatchJob):
            return self.call if self.running else -1
        return self.running.command.call

    @property
    def raised_here(self) -> Cut | None:
        """The interrupt that has been raised in the call that was begun last, if there is one."""
        cut = self.cut
        return cut if cut is not None and cut.call == self.call and cut.raised else None

    def check(self) -> None:
        """What is always true of it."""
        waiting = [number for job in self.queue for number in (job.pending if isinstance(job, BatchJob) else (job.command.call,))]
        assert len(set(waiting)) == len(waiting), f"engine {self.id} has a call twice: {waiting}"
        assert not self.promised.keys() & set(waiting), f"engine {self.id} has promised what it has not looked at"
        assert self.running is None or self.running.command.call not in waiting, f"engine {self.id} would run a call again"
        assert all(job.function for job in self.queue if isinstance(job.command, Apply | RunBatch)), "an Apply without its function"
