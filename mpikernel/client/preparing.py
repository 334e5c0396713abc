"""Makes of a function and its sequences a map: the result that somebody gets, and the feed that submits its tasks.

All maps over load-balanced views are made here, whichever face they have: `map_async`, `imap`, an executor's, a pool's. Whether one is
read by itself or as its values are asked for, and how far, is for whoever has it made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from mpikernel.client.arrivals import Arrivals
from mpikernel.client.chunking import AdaptiveSizes, FixedSizes, Sizes
from mpikernel.client.feeding import Feed, Limits, Submission
from mpikernel.client.flags import is_integer
from mpikernel.client.items import ItemByItem
from mpikernel.client.mapped import TaskMapResult
from mpikernel.client.outcomes import Outcomes
from mpikernel.client.reading import NO_BOUND, Chunks, Reader, Singles
from mpikernel.client.streaming import Window
from mpikernel.client.terms import TermsThen, WithRecovery
from mpikernel.errors import UsageError
from mpikernel.wire.terms import Terms

if TYPE_CHECKING:
    from mpikernel.client.maps import MappingView

#: How many tasks are kept under way for each engine at first, where values are taken one by one; more if they are short.
WINDOW = 4
#: Tasks under way at once: for each engine as many as the task interface gives one, and no less than for a few engines.
FOR_EACH = 1024
LEAST_WINDOW = 4096
#: Where the size of tasks follows their times, so many for each engine are enough.
AHEAD = 4
#: Sequences that nobody can change.
FIXED = (range, tuple, str, bytes)


class Manner(NamedTuple):
    """How the items of a map are put into tasks, and what becomes of their failures."""

    ordered: bool = True
    chunksize: int | None = None
    return_exceptions: bool = False
    buffersize: int | None = None

    def checked(self, timeout: float | None) -> Manner:
        """The same, if its numbers make sense; where a run of the function has a limit of time, each item is a task."""
        chunksize = None if self.chunksize is None else check_count("chunksize", self.chunksize)
        buffersize = None if self.buffersize is None else check_count("buffersize", self.buffersize)
        return self._replace(chunksize=chunksize if timeout is None else 1, buffersize=buffersize)

    def sizes(self, engines: int, items: int | None) -> Sizes:
        """How many items go in one task."""
        if self.chunksize is not None:
            return FixedSizes(self._size)
        return AdaptiveSizes(engines, items, None if self.buffersize is None else max(1, self.buffersize // (2 * engines)))

    def expected(self, items: int | None) -> int | None:
        """What a result's length will be."""
        return items if items is None or self.chunksize is None else -(-items // self._size)

    def under_way(self, engines: int) -> int:
        """How many tasks are under way at once where the map goes on by itself."""
        return AHEAD * engines if self.chunksize is None else max(LEAST_WINDOW, FOR_EACH * engines)

    def window(self, engines: int, tasks: int | None = None) -> Window:
        """How many tasks are read ahead of values that are taken one by one: so many, or as it turns out."""
        if tasks is not None:
            return Window(tasks, tasks, engines)
        least = WINDOW * engines
        return Window(least, least if self.chunksize is None else max(LEAST_WINDOW, least), engines)

    @property
    def _size(self) -> int:
        size = self.chunksize or 1
        return size if self.buffersize is None else min(size, self.buffersize)


def check_count(name: str, count: Any) -> int:
    """A number of something, of which there must be one at least; more than anything has is as good as that.

    Raises:
        UsageError: it is no such number.
    """
    if not is_integer(count) or count < 1:
        raise UsageError(f"{name}={count!r} makes no sense: it is an integer, 1 or more")
    return min(int(count), NO_BOUND)


def prepare(
    view: MappingView,
    function: Callable[..., Any],
    sequences: Sequence[Iterable[Any]],
    manner: Manner,
    by_itself: bool,
) -> tuple[Feed, TaskMapResult]:
    """A map of which nothing has been read yet. It goes on `by_itself`, or its feed is told when to read."""
    label, port = view._name_of(function), view._port
    if not sequences:
        raise UsageError("map needs at least one sequence beside the function")
    port.check_open()
    chunked, items, engines = manner.chunksize != 1, length(sequences), len(view)
    whole, terms = (ItemByItem(function, view.retries, view.recovery), _once(view._terms)) if chunked else (function, view._terms)
    submission = Submission(port, port.functions.get(whole, label), label, terms, view.stream)
    sizes = manner.sizes(engines, items)
    reader = _chunks(sequences, submission, sizes) if chunked else Singles(zip(*sequences, strict=False), submission.payload)
    outcomes = Outcomes(chunked, manner.return_exceptions, lambda engine: f"{port.state.place_of(engine)}, in {label}")
    tasks, by_items = Arrivals(reader.begins), manner.chunksize is None
    result = TaskMapResult(port, label, manner.ordered, tasks, outcomes, manner.expected(items), by_items)
    limits = Limits(manner.under_way(engines), manner.buffersize)
    return Feed(port, result, submission, reader, sizes, limits, by_itself), result


def _once(terms: TermsThen) -> TermsThen:
    """The terms of tasks that see to the items that fail themselves."""
    rest = terms.terms if isinstance(terms, WithRecovery) else terms
    return _of_one_run(rest) if isinstance(rest, Terms) else lambda: _of_one_run(rest())


def _of_one_run(terms: Terms) -> Terms:
    return replace(terms, retries=0, recovery=b"")


def _chunks(sequences: Sequence[Iterable[Any]], submission: Submission, sizes: Sizes) -> Reader:
    single = len(sequences) == 1
    return Chunks(iter(sequences[0]) if single else zip(*sequences, strict=False), single, submission.payload, sizes)


def length(sequences: Sequence[Iterable[Any]]) -> int | None:
    """How many items there will be; None if that is not known.

    Raises:
        UsageError: one of them is no sequence.
    """
    for sequence in sequences:
        check_sequence(sequence)
    if not all(isinstance(sequence, Sized) for sequence in sequences):
        return None
    return min(len(sequence) for sequence in sequences if isinstance(sequence, Sized))


def check_sequence(sequence: Any) -> None:
    """Refuse with a UsageError what has no items."""
    if getattr(sequence, "__iter__", None) is None and not hasattr(sequence, "__getitem__"):
        raise UsageError(f"{sequence!r} is no sequence: a map takes the function, and for each of its arguments a sequence of items")


def read_now(sequences: Sequence[Iterable[Any]]) -> Sequence[Iterable[Any]]:
    """The same items, read to the end of the shortest, and kept: whatever becomes of the sequences does not change them."""
    if len(sequences) == 1:
        return [_kept(sequences[0])]
    if all(type(sequence) in FIXED for sequence in sequences):
        return sequences
    return list(zip(*zip(*sequences, strict=False), strict=True)) or [()] * len(sequences)


def _kept(sequence: Iterable[Any]) -> Iterable[Any]:
    return sequence if type(sequence) in FIXED else list(sequence)
