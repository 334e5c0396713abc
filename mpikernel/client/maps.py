"""MappingView: a view whose maps are tasks, made from their sources as they end. How a single call is made is its subclass's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mpikernel.client.preparing import Manner, check_count, length, prepare, read_now
from mpikernel.client.result import AsyncMapResult
from mpikernel.client.streaming import Stream
from mpikernel.client.terms import TermsThen
from mpikernel.client.view import View
from mpikernel.errors import UsageError

#: Seconds between looks at how far a map is, while its bar is shown.
LOOK_EVERY = 0.5


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
        manner = Manner(ordered, chunksize, return_exceptions, buffersize).checked(self.timeout)
        feed, result = prepare(self, function, sequences, manner, by_itself=True)
        feed.start()
        return result.launched()

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
        known = read_now(sequences) if progress and length(sequences) is None else sequences
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
        if max_outstanding is not None:
            max_outstanding = check_count("max_outstanding", max_outstanding)
        if chunksize is None and max_outstanding is not None:
            chunksize = 1
        manner = Manner(ordered, chunksize, return_exceptions, buffersize).checked(self.timeout)
        feed, result = prepare(self, function, sequences, manner, by_itself=False)
        return Stream(feed, result, manner.window(len(self), max_outstanding), ordered).values()
