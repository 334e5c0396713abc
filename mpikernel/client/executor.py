"""EngineExecutor: the engines as `concurrent.futures` knows executors. Its futures are AsyncResults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mpikernel.client.intake import Initializer, Intake
from mpikernel.client.pipeline import Pipeline, check_count
from mpikernel.client.result import AsyncResult
from mpikernel.client.view import label_of
from mpikernel.errors import ClosedError

if TYPE_CHECKING:
    from mpikernel.client.balanced import LoadBalancedView


class EngineExecutor(Executor):
    """Calls functions on whichever engine is free. Made by `client.executor()` and `view.executor`."""

    def __init__(self, view: LoadBalancedView, initializer: Initializer = None, initargs: Iterable[Any] = ()) -> None:
        refusal = ClosedError("this executor has been shut down; make another with client.executor()")
        self._intake = Intake(view, refusal, initializer, initargs)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Queue one call of fn(*args, **kwargs); its result, which is a future.

        Raises:
            ClosedError: (a RuntimeError) the executor has been shut down.
            BrokenExecutor: the initializer failed on an engine.
            SerializeError: something of it cannot be sent.
        """
        return self._intake.apply(fn, args, kwargs)

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Values of fn for the items of the iterables, in order. The calls are submitted now; what is left is cancelled when one
        of them raises, or the iterator is closed.

        Args:
            fn: called with one item of each iterable.
            iterables: read now, to the end of the shortest; with `buffersize` only as far as needed, so they may be endless.
            timeout: seconds from now after which waiting for a value is a TimeoutError.
            chunksize: items in one task.
            buffersize: tasks under way at once; None for all.
        """
        label_of(fn)
        deadline = None if timeout is None else time.monotonic() + timeout
        check_count("chunksize", chunksize)
        self._intake.check_ready()
        if buffersize is None and deadline is None:
            result = self._intake.map(fn, iterables, chunksize)  # all in one go, which is the quickest
            return self._until_closed(iter(result), lambda: [result])
        bound = None if buffersize is None else check_count("buffersize", buffersize)
        return self._piped(fn, zip(*iterables, strict=False), deadline, chunksize, bound)

    def _piped(
        self, fn: Callable[..., Any], rows: Iterator[tuple[Any, ...]], deadline: float | None, chunksize: int, bound: int | None
    ) -> Iterator[Any]:
        wait = self._intake.view.client.port.wait
        pipeline = Pipeline(partial(self._intake.apply_chunk, fn), wait, rows, chunksize, bound)
        values = pipeline if deadline is None else _before(deadline, pipeline)
        return self._until_closed(values, lambda: pipeline.left)

    def _until_closed(self, values: Iterator[Any], left: Callable[[], list[AsyncResult]]) -> Iterator[Any]:
        """The values; what is left is given up when somebody stops asking."""
        try:
            yield from values
        except BaseException:
            self._intake.give_up(left())
            raise

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls.

        Args:
            wait: until all of its calls are done and their callbacks have run. If not, they are done all the same, but not after
                the end of the script.
            cancel_futures: cancel those that have not begun.
        """
        self._intake.close()
        if cancel_futures:
            self._intake.abort()
        if wait:
            self._intake.wait()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.shutdown()
        except ClosedError:
            if error is None:
                raise  # otherwise the world is ending because of `error`, or that tells it already

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, engines {self._intake.view.targets}{', shut down' if self._intake.closed else ''}>"


def _before(deadline: float, values: Pipeline) -> Iterator[Any]:
    """The values; TimeoutError if one comes too late."""
    try:
        while True:
            yield values.next(deadline - time.monotonic())
    except StopIteration:
        return
