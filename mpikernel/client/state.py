"""What a client knows: the calls that have not ended. What has ended belongs to whoever holds its AsyncResult."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from mpikernel.client.repeats import Repeats
from mpikernel.client.screen import Screen
from mpikernel.client.singles import Singles
from mpikernel.client.tally import Tally
from mpikernel.client.traffic import Held, Traffic
from mpikernel.errors import UsageError
from mpikernel.wire.envelope import Departure, Frame
from mpikernel.wire.failure import rebuild
from mpikernel.wire.messages import Done, DoneBatch
from mpikernel.wire.mirror import Sent
from mpikernel.wire.notebook import Notebook
from mpikernel.wire.payload import all_there, load, load_many
from mpikernel.wire.transport import Arrival

_NOT_LOADED = object()
_TAKEN = object()
_GONE: list[Any] = []
#: Failures nobody asked about that are remembered.
UNSEEN = 1000
#: Stands for the task interface where engines go by their ids: ranks do not tell them apart in a world of one.
TASKS = -1


class Collector(Protocol):
    """Who waits for calls: an AsyncResult."""

    @property
    def departure(self) -> Departure:
        """Of the buffers that go with its calls."""

    @property
    def calls(self) -> Sequence[Call]:
        """What it waits for, in order."""

    def expecting(self, calls: Sequence[Call]) -> None:
        """These calls are about to be sent; told under the loop's lock."""

    def arrived(self, call: Call) -> None:
        """One of them has ended; told under the loop's lock."""

    def awaited(self) -> bool:
        """Whether anybody will be told when it is done."""


class SingleCollector(Collector, Protocol):
    """Who waits for one task."""

    def expecting_nothing_but(self, call: Call) -> None:
        """This call is about to be sent, and no other; told under the loop's lock."""


class MapCollector(Collector, Protocol):
    """Who waits for the tasks of a map."""

    def expecting_batch(self, numbers: range) -> None:
        """These tasks are about to be sent; told under the loop's lock."""

    def part_arrived(self, part: Part) -> None:
        """Some of them have ended well; told under the loop's lock."""


class OpenBatch:
    """Tasks that were submitted together, some of which have not ended."""

    __slots__ = ("collector", "label", "open", "submitted")

    def __init__(self, numbers: Collection[int], label: str, submitted: float, collector: MapCollector) -> None:
        self.open = set(numbers)  # tasks that have not ended
        self.label = label
        self.submitted = submitted
        self.collector = collector


class Gatherer(Protocol):
    """Who puts the parts of a gather together; told under the loop's lock."""

    def described(self, call: Call, frames: Sequence[Frame]) -> None:
        """A part is large and will come when it is asked for, or unasked; these frames describe it."""

    def ended(self, call: Call) -> None:
        """A call of it has ended."""

    def place(self, call: int, sizes: Sequence[int]) -> Sequence[memoryview] | None:
        """Where the large frames of a call's answer are to land."""


class Call(Struct, eq=False):
    """One command on one engine, or one task, from its submission to its value."""

    id: int
    kind: str
    label: str
    engine: int  # -1 while a task has not been placed
    submitted: float  # seconds since the epoch
    is_task: bool = False
    received: float = 0.0  # when its result came; 0 until then
    done: Done | None = None
    frames: Sequence[Frame] = ()  # of the result, until it is rebuilt
    collector: Collector | None = None
    weight: int = 0  # bytes in the large frames that were sent with it
    held: Held | None = None  # large frames of the result, until it is rebuilt
    error: Exception | None = None
    open_with: Callable[..., Any] = load  # what makes a value of the frames
    value_: Any = _NOT_LOADED

    @property
    def receiver(self) -> int:
        """Who was sent it: an engine, or TASKS."""
        return TASKS if self.is_task else self.engine

    @property
    def failed(self) -> bool:
        return self.done is not None and self.done.status == "error"

    @property
    def aborted(self) -> bool:
        return self.done is not None and self.done.status == "aborted"

    def end(self, done: Done, frames: Sequence[Frame], now: float) -> Collector | None:
        """It has ended so. Gives who waits for it, whom it knows no more: large results must not wait for the garbage collector."""
        self.done, self.frames, self.received = done, frames, now
        if done.engine >= 0:
            self.engine = done.engine
        collector, self.collector = self.collector, None
        return collector

    def value(self) -> Any:
        """The result of a call that ended well, rebuilt when first asked for."""
        if self.value_ is _NOT_LOADED:
            self.held = None  # it is taken, also where it cannot be rebuilt
            self.value_ = self.open_with(self.frames, what=f"the result of {self.label} (engine {self.engine})")
            self.frames = ()
        if self.value_ is _TAKEN:
            raise UsageError(f"the result of {self.label} is not kept here any more: it was written to a file")
        return self.value_

    def take(self) -> Any:
        """As `value`, for the last time: it is let go of."""
        value, self.value_ = self.value(), _TAKEN
        return value

    def without_values(self) -> Call:
        """How it ended, and nothing of what it brought."""
        call = Call(self.id, self.kind, self.label, self.engine, self.submitted, self.is_task)
        call.done, call.received = self.done, self.received
        return call

    def exception(self) -> Exception:
        """The exception of a call that failed, rebuilt when first asked for."""
        if self.error is None:
            self.error = rebuild(self.frames, self.engine, self.done.earlier if self.done is not None else 0)
            self.frames, self.held = (), None
        return self.error


class Part:
    """Consecutive tasks of a map that ended well, as their engine told it: rebuilt when first asked for."""

    __slots__ = ("_values", "batch", "data", "done", "ends", "received")

    def __init__(self, done: DoneBatch, data: Frame, batch: OpenBatch, received: float) -> None:
        self.done = done
        self.data: Frame = data  # pickles, until they are rebuilt
        self.ends: Sequence[int] = memoryview(done.ends).cast("I")
        self.batch = batch
        self.received = received
        self._values: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def numbers(self) -> range:
        return range(self.done.first, self.done.first + len(self.ends))

    def values(self) -> list[Any]:
        """The results, in order.

        Raises:
            SerializeError: one of them cannot be rebuilt.
        """
        if self._values is _GONE:
            raise UsageError(f"{self._what} is not kept here any more: it was written to a file")
        if self._values is None:
            self._values = load_many(self.data, self.ends, self._what)
            self.data = b""
        return self._values

    def value(self, index: int) -> Any:
        """One of the results, where another one could not be rebuilt. SerializeError if it is this one."""
        begin, end = self.ends[index - 1] if index else 0, self.ends[index]
        return load_many(memoryview(all_there((self.data,), self._what)[0])[begin:end], (end - begin,), self._what)[0]

    def take(self) -> list[Any]:
        """As `values`, for the last time: they are let go of."""
        values, self._values = self.values(), _GONE
        return values

    def without_values(self) -> Part:
        """How they ended, and nothing of what they brought."""
        return Part(self.done, b"", self.batch, self.received)

    @property
    def _what(self) -> str:
        return f"the result of {self.batch.label} (engine {self.done.engine})"

    def call(self, index: int) -> Call:
        """One of the tasks, as a call by itself."""
        done, count = self.done, len(self.ends)
        times = memoryview(done.times).cast("d")
        call = Call(done.first + index, "task", self.batch.label, done.engine, self.batch.submitted, is_task=True)
        call.done = Done(call.id, done.engine, "ok", times[index], times[count + index], "", "", "")
        call.received = self.received
        return call


class Refusal(Struct, frozen=True):
    """How a call ends that its engine has not begun and drops because we say so."""

    error: str  # in one line
    frames: Sequence[Frame]  # the description of the error


class Cancelling(Struct, eq=False):
    """What one thread wants to have dropped. Others may have asked for the same, and an answer is for all who wait for it."""

    answers: dict[int, bool | None]  # by call: whether it was dropped

    def hear(self, calls: Iterable[int], dropped: bool) -> None:
        """An answer has come. What was dropped stays so, although whoever asks once more is told that there is nothing to drop."""
        for call in calls:
            if call in self.answers:
                self.answers[call] = self.answers[call] or dropped


class ClientState(Struct, eq=False):
    rank: int
    notes: Notebook
    task: int
    engines: tuple[int, ...]  # ranks, by engine id
    hosts: tuple[str, ...]  # by rank
    afterwards: Callable[[Callable[[], None]], None]  # has something done when the turn is over
    traffic: Traffic
    repeats: Repeats = field(default_factory=Repeats)
    tally: Tally = field(default_factory=Tally)
    singles: Singles = field(default_factory=Singles)  # calls that have not left
    next_call: int = 0
    open: dict[int, Call] = field(default_factory=dict)  # calls that have not ended
    batches: dict[int, OpenBatch] = field(default_factory=dict)  # by their first task, in order
    feeding: int = 0  # maps that have more to submit
    sent: defaultdict[int, Sent] = field(default_factory=lambda: defaultdict(Sent))  # functions, by the engine they were sent to, or TASKS
    lost: dict[int, str] = field(default_factory=dict)  # engines that died, and how; views keep it
    fellows: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # who waits for a leading engine: rank and call, by its call
    gathers: dict[int, Gatherer] = field(default_factory=dict)  # by call that has not ended
    given_up: dict[int, Arrival] = field(default_factory=dict)  # calls that end as soon as their engines will interrupt them, and how
    seized: dict[int, int] = field(default_factory=dict)  # engines that sit in a call that was given up, and the call
    refused: dict[int, Refusal] = field(default_factory=dict)  # calls that are to be dropped by their engines, and what they end with then
    parents: dict[int, int] = field(default_factory=dict)  # ranks that large frames come from down a tree, by call; some have ended
    unseen: dict[int, str] = field(default_factory=dict)  # failures that nobody has asked about, by the result's first call
    cancelling: list[Cancelling] = field(default_factory=list)  # requests whose answers somebody waits for
    screen: Screen = field(default_factory=Screen)

    def new_call(self, kind: str, label: str, engine: int, now: float, is_task: bool = False) -> Call:
        """A call with a number of its own, open from now on."""
        call = Call(self.next_call, kind, label, engine, now, is_task)
        self.next_call += 1
        self.open[call.id] = call
        return call

    def new_batch(self, count: int, label: str, now: float, collector: MapCollector) -> range:
        """Consecutive tasks with numbers of their own, open from now on."""
        numbers = range(self.next_call, self.next_call + count)
        self.next_call = numbers.stop
        self.batches[numbers.start] = OpenBatch(numbers, label, now, collector)
        self.tally.holds_from(numbers.start, collector)
        return numbers

    def take_from_batch(self, number: int) -> Call | None:
        """A task of a batch has ended by itself: it is a call now. None if it had ended before."""
        first = next((first for first in reversed(self.batches) if first <= number), -1)
        batch = self.batches.get(first)
        if batch is None or number not in batch.open:
            return None
        self.close_in_batch(first, (number,))
        call = Call(number, "task", batch.label, -1, batch.submitted, is_task=True)
        call.collector = batch.collector
        return call

    def close_in_batch(self, first: int, numbers: Collection[int]) -> None:
        """Tasks of a batch have ended."""
        batch = self.batches[first]
        batch.open.difference_update(numbers)
        if not batch.open:
            del self.batches[first]

    def weigh_down(self, call: Call, weight: int) -> None:
        """So many bytes go with a call, and are under way until it ends."""
        call.weight = weight
        self.traffic.under_way[call.receiver] += weight

    def note_parents(self, parents: dict[int, int]) -> None:
        """The large frames of these calls, which are about to be sent, come from these ranks."""
        if parents:
            self.parents = {call: rank for call, rank in self.parents.items() if call in self.open} | parents

    def passes_on(self, rank: int) -> bool:
        """Whether a rank has frames to pass on that others wait for, as far as is known here."""
        return any(parent == rank and call in self.open for call, parent in self.parents.items())

    @property
    def open_calls(self) -> list[Call]:
        """Everything that has not ended, as calls."""
        batched = [
            Call(number, "task", batch.label, -1, batch.submitted, is_task=True) for batch in self.batches.values() for number in batch.open
        ]
        return [*self.open.values(), *batched]

    @property
    def idle(self) -> bool:
        """Whether everything has ended that was asked for."""
        return not (self.open or self.batches or self.feeding)

    @property
    def settled(self) -> int:
        """All calls before this one have ended: they are in order."""
        return min(next(iter(self.open), self.next_call), next(iter(self.batches), self.next_call))

    def knows(self, receiver: int, digest: bytes, weight: int) -> bool:
        """Whether an engine, or the task interface (TASKS), has a function; if not, it is about to be sent.

        `weight` is the function's size in bytes: both ends forget by it, so they must be told the same.
        """
        return self.sent[receiver].knows(digest, weight)

    def obituary(self, engine: int) -> str:
        """Who died, and how."""
        return f"{self.name_of(engine)} died: {self.lost[engine]}"

    def name_of(self, engine: int) -> str:
        """An engine, its rank and its host."""
        rank = self.engines[engine]
        return f"engine {engine} (rank {rank} on {self.hosts[rank]})"

    def place_of(self, engine: int) -> str:
        """The same, as it heads tracebacks."""
        rank = self.engines[engine]
        return f"on engine {engine} (rank {rank}, host {self.hosts[rank]})"

    def hungry(self) -> bool:
        """Whether large results may come in."""
        return self.traffic.hungry(self._awaited)

    def _awaited(self) -> bool:
        """Whether anybody will be told when something that is open is done."""
        return self.will_tell()

    def will_tell(self, but: Collector | None = None) -> bool:
        """Whether anybody will be told when something that is open is done, but for one result."""
        collectors = {call.collector for call in self.open.values()} | {batch.collector for batch in self.batches.values()}
        return any(collector.awaited() for collector in collectors if collector is not None and collector is not but)

    def remember_failure(self, number: int, name: str, failed: Sequence[Call]) -> None:
        """A result has failed; it is forgotten when somebody asks about it. The first few are enough to tell."""
        if failed and failed[0].done is not None and len(self.unseen) < UNSEEN:
            self.unseen[number] = f"{name}: {failed[0].done.error}"

    def left_over(self) -> list[str]:
        """What a script should hear about when it ends: calls that are dropped, and failures that it never asked about."""
        lines = []
        count = len(self.open) + sum(len(batch.open) for batch in self.batches.values())
        if count:
            text = "1 call was" if count == 1 else f"{count} calls were"
            lines.append(f"the script ended while {text} under way, now dropped; client.wait() waits for all")
        if self.unseen:
            text = "1 result" if len(self.unseen) == 1 else f"{len(self.unseen)} results"
            lines.append(f"{text} failed and nobody asked for it: {self.unseen[min(self.unseen)]} (more: ipcluster history --failed)")
        return lines

    def check(self) -> None:
        """What is always true of it."""
        assert all(call.done is None for call in self.open.values()), "a call that has ended is still open"
        assert self.gathers.keys() <= self.open.keys(), "a gather waits for a call that has ended"
        assert all(batch.open for batch in self.batches.values()), "a batch that has ended is still open"
        assert all(number < self.next_call for number in self.open), "a call from the future"
