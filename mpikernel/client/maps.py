"""MappingView: a view whose maps are tasks, made from their sources as they end. How a single call is made is its subclass's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Any, NamedTuple

from msgspec.structs import replace

from mpikernel.client.arrivals import Arrivals
from mpikernel.client.chunking import AdaptiveSizes, FixedSizes, Sizes
from mpikernel.client.feeding import Feed, Limits, Submission
from mpikernel.client.items import ItemByItem
from mpikernel.client.mapped import TaskMapResult
from mpikernel.client.outcomes import Outcomes
from mpikernel.client.port import Port
from mpikernel.client.reading import Chunks, Reader, Singles
from mpikernel.client.result import AsyncMapResult
from mpikernel.client.streaming import Window, stream
from mpikernel.client.terms import TermsThen, WithRecovery
from mpikernel.client.view import View
from mpikernel.errors import UsageError
from mpikernel.wire.terms import Terms

#: How many tasks `imap` keeps under way for each engine at first, unless told otherwise; more if they are short.
WINDOW = 4
#: Tasks under way at once: for each engine as many as the task interface gives one, and no less than for a few engines.
FOR_EACH = 1024
LEAST_WINDOW = 4096
#: Where the size of tasks follows their times, so many for each engine are enough.
AHEAD = 4
#: Seconds between looks at how far a map is, while its bar is shown.
LOOK_EVERY = 0.5


class Manner(NamedTuple):
    """How the items of a map are put into tasks, and what becomes of their failures."""

    ordered: bool
    chunksize: int | None
    return_exceptions: bool
    buffersize: int | None

    def check(self) -> None:
        """Refuse numbers that make no sense."""
        for name in ("chunksize", "buffersize"):
            number = getattr(self, name)
            if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
                raise UsageError(f"{name}={number!r} is not a number of items: it is 1 or more")

    def sizes(self, engines: int, items: int | None) -> Sizes:
        """How many items go in one task."""
        if self.chunksize is not None:
            return FixedSizes(self._size)
        return AdaptiveSizes(engines, items, None if self.buffersize is None else max(1, self.buffersize // (2 * engines)))

    def expected(self, items: int | None) -> int | None:
        """What a result's length will be."""
        return items if items is None or self.chunksize is None else -(-items // self._size)

    @property
    def _size(self) -> int:
        size = self.chunksize or 1
        return size if self.buffersize is None else min(size, self.buffersize)


class MappingView(View):
    """A view that maps functions over sequences, item by item, on whichever engine is free."""

    @property
    @abstractmethod
    def _terms(self) -> TermsThen:
        """Those of the calls that are made now."""

    @property
    @abstractmethod
    def retries(self) -> int:
        """How often an item that failed is tried again."""

    @property
    @abstractmethod
    def recovery(self) -> Callable[..., Any] | None:
        """What is called for an item that has failed for good; None for nothing."""

    @property
    @abstractmethod
    def timeout(self) -> float | None:
        """Seconds that a run of a task may take; None for no limit."""

    @abstractmethod
    def _name_of(self, function: Callable[..., Any]) -> str:
        """What calls of a function are called."""

    def map_async(
        self,
        function: Callable[..., Any],
        *sequences: Iterable[Any],
        ordered: bool = True,
        chunksize: int | None = None,
        return_exceptions: bool = False,
        buffersize: int | None = None,
    ) -> AsyncMapResult:
        """Call the function for the items of sequences without waiting. An item that raises costs no other one.

        Args:
            function: called with one item of each sequence.
            sequences: iterables; like Python's map it stops with the shortest. They are read as tasks end, not all of them first.
            ordered: whether iterating over the result keeps the order, or gives what is there first. `get()` is in order anyway.
            chunksize: items in one task. If None, as many as it takes for a task to last some 30 ms, by the time that items are seen
                to take, and fewer towards the end; `len` and `progress` of the result then count items, else tasks.
            return_exceptions: give the exception of an item that failed in the place of its value instead of raising it.
            buffersize: items that may have been read and not have ended; None for no limit but that of the tasks under way.

        Raises:
            UsageError: a number that makes no sense, or no sequence.
            SerializeError: the function, or one of the items that are read at once, cannot be sent; later ones fail the result.
        """
        if chunksize is None and self.timeout is not None:
            chunksize = 1  # the limit is one of each item
        manner = Manner(ordered, chunksize, return_exceptions, buffersize)
        window = AHEAD * len(self) if chunksize is None else max(LEAST_WINDOW, FOR_EACH * len(self))
        feed, result = self._feed(function, sequences, manner, window, by_itself=True)
        feed.start()
        return result.launched()

    def _feed(
        self, function: Callable[..., Any], sequences: tuple[Iterable[Any], ...], manner: Manner, window: int, by_itself: bool
    ) -> tuple[Feed, TaskMapResult]:
        label, port = self._name_of(function), self._port
        if not sequences:
            raise UsageError("map needs at least one sequence beside the function")
        manner.check()
        port.check_open()
        chunked, items = manner.chunksize != 1, _length(sequences)
        whole, terms = (ItemByItem(function, self.retries, self.recovery), _once(self._terms)) if chunked else (function, self._terms)
        submission = Submission(port, port.functions.get(whole, label), label, terms, self.stream)
        sizes = manner.sizes(len(self), items)
        reader = _chunks(sequences, submission, sizes) if chunked else Singles(zip(*sequences, strict=False), submission.payload)
        outcomes = Outcomes(chunked, manner.return_exceptions, lambda engine: f"{_place(port, engine)}, in {label}")
        tasks, by_items = Arrivals(reader.begins), manner.chunksize is None
        result = TaskMapResult(port, label, manner.ordered, tasks, outcomes, manner.expected(items), by_items)
        return Feed(port, result, submission, reader, sizes, Limits(window, manner.buffersize), by_itself), result

    def map_sync(
        self,
        function: Callable[..., Any],
        *sequences: Iterable[Any],
        ordered: bool = True,
        chunksize: int | None = None,
        return_exceptions: bool = False,
        buffersize: int | None = None,
        progress: bool = False,
    ) -> list[Any]:
        """As `map_async`; the list of values.

        Args:
            progress: show a bar on stderr while it waits (on no terminal, a line now and then). Sequences whose length is not known
                are read to their end first, since the bar has one.
        """
        known = _read(sequences) if progress and _length(sequences) is None else sequences
        result = self.map_async(
            function, *known, ordered=ordered, chunksize=chunksize, return_exceptions=return_exceptions, buffersize=buffersize
        )
        if progress:
            result.wait_interactive(LOOK_EVERY)
        values: list[Any] = result.get()
        return values

    def map(
        self, function: Callable[..., Any], *sequences: Iterable[Any], block: bool | None = None, progress: bool = False, **options: Any
    ) -> Any:
        """As `map_sync` if `block` is set, else as `map_async`, whose `options` it takes too.

        Args:
            block: the view's own if None.
            progress: as in `map_sync`; a UsageError where it does not wait: the result's `wait_interactive` shows a bar there.
        """
        if self.block if block is None else block:
            return self.map_sync(function, *sequences, progress=progress, **options)
        if progress:
            raise UsageError(
                "progress=True shows a bar while map waits, but this one does not: use map_sync, or the result's wait_interactive"
            )
        return self.map_async(function, *sequences, **options)

    def imap(
        self,
        function: Callable[..., Any],
        *sequences: Iterable[Any],
        ordered: bool = True,
        chunksize: int | None = None,
        max_outstanding: int | None = None,
        return_exceptions: bool = False,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Values as they come. The sequences are read only as far as needed, so they may be endless.

        Args:
            function, sequences, ordered, chunksize, return_exceptions: as in `map_async`.
            max_outstanding: tasks under way at once, each with one item unless `chunksize` is given; a few for each engine if None.
            buffersize: items that may have been read and whose values have not been taken; None for no limit but that of tasks.
        """
        if max_outstanding is not None and max_outstanding < 1:
            raise UsageError(f"max_outstanding={max_outstanding!r} lets nothing run: it is 1 or more")
        if chunksize is None and (max_outstanding is not None or self.timeout is not None):
            chunksize = 1
        least = WINDOW * len(self) if max_outstanding is None else max_outstanding
        most = least if chunksize is None or max_outstanding is not None else max(LEAST_WINDOW, least)
        manner = Manner(ordered, chunksize, return_exceptions, buffersize)
        feed, result = self._feed(function, sequences, manner, most, by_itself=False)
        return stream(feed, result, Window(least, most), ordered)


def _once(terms: TermsThen) -> TermsThen:
    """The terms of tasks that see to the items that fail themselves."""
    rest = terms.terms if isinstance(terms, WithRecovery) else terms
    return _of_one_run(rest) if isinstance(rest, Terms) else lambda: _of_one_run(rest())


def _of_one_run(terms: Terms) -> Terms:
    return replace(terms, retries=0, recovery=b"")


def _chunks(sequences: tuple[Iterable[Any], ...], submission: Submission, sizes: Sizes) -> Reader:
    single = len(sequences) == 1
    return Chunks(iter(sequences[0]) if single else zip(*sequences, strict=False), single, submission.payload, sizes)


def _length(sequences: tuple[Iterable[Any], ...]) -> int | None:
    """How many items there will be; None if that is not known."""
    if not all(isinstance(sequence, Sized) for sequence in sequences):
        return None
    return min(len(sequence) for sequence in sequences if isinstance(sequence, Sized))


def _read(sequences: tuple[Iterable[Any], ...]) -> Sequence[Sequence[Any]]:
    """The same items as sequences whose length is known."""
    return list(zip(*zip(*sequences, strict=False), strict=True)) or [()] * len(sequences)


def _place(port: Port, engine: int) -> str:
    rank = port.state.engines[engine]
    return f"on engine {engine} (rank {rank}, host {port.state.hosts[rank]})"
