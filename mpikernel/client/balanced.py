"""LoadBalancedView: calls go to whichever engine is free; the task interface decides."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mpikernel.client.executor import EngineExecutor
from mpikernel.client.items import apply_to_items
from mpikernel.client.result import AsyncMapResult, AsyncResult
from mpikernel.client.view import Targets, View, label_of
from mpikernel.errors import UsageError
from mpikernel.wire.payload import Frames, dump

if TYPE_CHECKING:
    from mpikernel.client.client import Client

R = TypeVar("R", bound=AsyncResult)

#: How many chunks `imap` keeps under way for each engine unless told otherwise.
WINDOW = 4
#: More than anybody means.
MOST_RETRIES = 1_000_000


class LoadBalancedView(View):
    """A view in which each call is a task for an engine that is free. Calls give bare values."""

    FLAGS: ClassVar[tuple[str, ...]] = ("block", "stream", "retries", "targets")

    def __init__(self, client: Client, targets: Targets = None, block: bool = False) -> None:
        super().__init__(client, targets, block)
        self._retries = 0

    @property
    def _bare(self) -> bool:
        return False

    @property
    def retries(self) -> int:
        """How often a task that failed is tried again."""
        return self._retries

    @retries.setter
    def retries(self, retries: int) -> None:
        if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= MOST_RETRIES:
            raise UsageError(f"retries={retries!r} is not a number of retries: it is an integer from 0 to {MOST_RETRIES}")
        self._retries = int(retries)

    @property
    def executor(self) -> EngineExecutor:
        """A new executor of `concurrent.futures` whose calls are tasks of this view, with its flags."""
        return EngineExecutor(self)

    def apply_async(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Queue one call of function(*args, **kwargs) without waiting."""
        label = label_of(function)
        result = AsyncResult(self._port, label, True)
        return self._submit(result, function, label, [dump((args, kwargs), f"the arguments of {label}")])

    def _submit(self, result: R, function: Callable[..., Any], label: str, arguments: list[Frames]) -> R:
        targets = () if self._targets is None or self._targets == "all" else tuple(self._ids)
        self._port.submit(result, label, self._port.functions.get(function, label), arguments, self._retries, targets, self.stream)
        return result.launched()

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
        label = label_of(function)
        columns = _chunks(sequences, chunksize)
        arguments = [dump(((function, *chunk), {}), f"the arguments of {label}") for chunk in columns]
        return self._submit(AsyncMapResult(self._port, label, ordered), apply_to_items, label, arguments)

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
        label = label_of(function)
        chunks = _chunks(sequences, chunksize)
        window = WINDOW * len(self) if max_outstanding is None else max_outstanding
        if window < 1:
            raise UsageError(f"max_outstanding={max_outstanding!r} lets nothing run: it is 1 or more")
        return self._imap(function, label, chunks, ordered, window, return_exceptions)

    def _imap(
        self,
        function: Callable[..., Any],
        label: str,
        chunks: Iterator[tuple[Any, ...]],
        ordered: bool,
        window: int,
        return_exceptions: bool,
    ) -> Iterator[Any]:
        under_way: deque[AsyncMapResult] = deque()
        lengths: dict[AsyncMapResult, int] = {}  # items in each
        while True:
            for chunk in itertools.islice(chunks, window - len(under_way)):
                arguments = dump(((function, *chunk), {}), f"the arguments of {label}")
                under_way.append(self._submit(AsyncMapResult(self._port, label), apply_to_items, label, [arguments]))
                lengths[under_way[-1]] = len(chunk[0])
            if not under_way:
                return
            first = under_way[0] if ordered else self._first_done(under_way)
            under_way.remove(first)
            yield from _values(first, lengths.pop(first), return_exceptions)

    def _first_done(self, results: deque[AsyncMapResult]) -> AsyncMapResult:
        self._port.wait(lambda: any(result.done() for result in results))
        return next(result for result in results if result.done())


def _values(result: AsyncMapResult, length: int, return_exceptions: bool) -> Iterator[Any]:
    """What a chunk brought; its one call raises the original exception, or gives it once for each of its items."""
    try:
        yield from result
    except Exception as error:
        if not return_exceptions:
            raise
        yield from itertools.repeat(error, length)


def _chunks(sequences: tuple[Iterable[Any], ...], chunksize: int) -> Iterator[tuple[Any, ...]]:
    """The sequences' items, `chunksize` at a time, as one tuple of columns each; read lazily."""
    if not sequences:
        raise UsageError("map needs at least one sequence beside the function")
    if not isinstance(chunksize, int) or isinstance(chunksize, bool) or chunksize < 1:
        raise UsageError(f"chunksize={chunksize!r} is not a number of items: it is 1 or more")
    return _chunked(zip(*sequences, strict=False), chunksize)


def _chunked(rows: Iterator[tuple[Any, ...]], chunksize: int) -> Iterator[tuple[Any, ...]]:
    while chunk := tuple(itertools.islice(rows, chunksize)):
        yield tuple(zip(*chunk, strict=True))
