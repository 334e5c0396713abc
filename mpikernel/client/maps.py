"""MappingView: a view whose maps are tasks, made from their sources as they end. How a single call is made is its subclass's."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from typing import Any

from mpikernel.client.feeding import FOR_EACH, LEAST_WINDOW, Feed, Submission
from mpikernel.client.items import apply_to_items
from mpikernel.client.mapped import TaskMapResult
from mpikernel.client.port import TermsThen
from mpikernel.client.result import AsyncMapResult
from mpikernel.client.streaming import Window, stream
from mpikernel.client.view import View
from mpikernel.errors import UsageError

#: How many tasks `imap` keeps under way for each engine at first, unless told otherwise; more if they are short.
WINDOW = 4


class MappingView(View):
    """A view that maps functions over sequences, item by item, on whichever engine is free."""

    @property
    @abstractmethod
    def _terms(self) -> TermsThen:
        """Those of the calls that are made now."""

    @abstractmethod
    def _name_of(self, function: Callable[..., Any]) -> str:
        """What calls of a function are called."""

    def map_async(
        self, function: Callable[..., Any], *sequences: Iterable[Any], ordered: bool = True, chunksize: int = 1
    ) -> AsyncMapResult:
        """Call the function for the items of sequences, as tasks of `chunksize` items, without waiting.

        Args:
            function: called with one item of each sequence.
            sequences: iterables; like Python's map it stops with the shortest.
            ordered: whether iterating over the result keeps the order, or gives what is there first. `get()` is in order anyway.
            chunksize: items in one task. What one of them raises is the error of its task.
        """
        feed, result = self._feed(function, sequences, ordered, chunksize, max(LEAST_WINDOW, FOR_EACH * len(self)), by_itself=True)
        feed.start()
        return result.launched()

    def _feed(
        self,
        function: Callable[..., Any],
        sequences: tuple[Iterable[Any], ...],
        ordered: bool,
        chunksize: int,
        window: int,
        by_itself: bool,
    ) -> tuple[Feed, TaskMapResult]:
        label, port = self._name_of(function), self._port
        rows = _rows(sequences, chunksize)
        port.check_open()
        whole = function if chunksize == 1 else partial(apply_to_items, function)
        submission = Submission(port, port.functions.get(whole, label), label, self._terms, self.stream)
        result = TaskMapResult(port, label, ordered, chunksize > 1, _length(sequences, chunksize))
        return Feed(port, result, submission, rows, window, by_itself), result

    def map_sync(self, function: Callable[..., Any], *sequences: Iterable[Any], ordered: bool = True, chunksize: int = 1) -> list[Any]:
        """As `map_async`; the list of values."""
        values: list[Any] = self.map_async(function, *sequences, ordered=ordered, chunksize=chunksize).get()
        return values

    def map(
        self, function: Callable[..., Any], *sequences: Iterable[Any], block: bool | None = None, ordered: bool = True, chunksize: int = 1
    ) -> Any:
        """As `map_async`; the list of values if `block` is set, else an AsyncMapResult."""
        return self._blocked(self.map_async(function, *sequences, ordered=ordered, chunksize=chunksize), block)

    def imap(
        self,
        function: Callable[..., Any],
        *sequences: Iterable[Any],
        ordered: bool = True,
        chunksize: int = 1,
        max_outstanding: int | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[Any]:
        """Values as they come. The sequences are read only as far as needed, so they may be endless.

        Args:
            function, sequences, ordered, chunksize: as in `map_async`.
            max_outstanding: tasks under way at once; a few for each engine if None.
            return_exceptions: give the exception of a task in place of each of its values instead of raising it.
        """
        least = WINDOW * len(self) if max_outstanding is None else max_outstanding
        if least < 1:
            raise UsageError(f"max_outstanding={max_outstanding!r} lets nothing run: it is 1 or more")
        most = max(LEAST_WINDOW, least) if max_outstanding is None else least
        feed, result = self._feed(function, sequences, ordered, chunksize, most, by_itself=False)
        return stream(feed, result, Window(least, most), chunksize, ordered, return_exceptions)


def _rows(sequences: tuple[Iterable[Any], ...], chunksize: int) -> Iterator[tuple[Any, ...]]:
    """What each task is called with: an item of each sequence, or `chunksize` of each as columns; read lazily."""
    if not sequences:
        raise UsageError("map needs at least one sequence beside the function")
    if not isinstance(chunksize, int) or isinstance(chunksize, bool) or chunksize < 1:
        raise UsageError(f"chunksize={chunksize!r} is not a number of items: it is 1 or more")
    rows = zip(*sequences, strict=False)
    return rows if chunksize == 1 else _chunked(rows, chunksize)


def _length(sequences: tuple[Iterable[Any], ...], chunksize: int) -> int | None:
    """How many tasks there will be; None if that is not known."""
    if not all(isinstance(sequence, Sized) for sequence in sequences):
        return None
    return -(-min(len(sequence) for sequence in sequences if isinstance(sequence, Sized)) // chunksize)


def _chunked(rows: Iterator[tuple[Any, ...]], chunksize: int) -> Iterator[tuple[Any, ...]]:
    while chunk := tuple(itertools.islice(rows, chunksize)):
        yield tuple(zip(*chunk, strict=True))
