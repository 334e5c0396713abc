"""EngineExecutor: the engines as `concurrent.futures` knows executors. Its futures are AsyncResults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mpikernel.client.intake import Initializer, Intake
from mpikernel.client.preparing import Manner, check_count
from mpikernel.client.result import AsyncResult
from mpikernel.client.streaming import Stream
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
        chunksize: int | None = 1,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Values of fn for the items of the iterables, in order. The calls are submitted now.

        An item that raises does so in its place, and so does one that cannot be sent. Then, and when the iterator is closed, what has not
        begun of the others is cancelled.

        Args:
            fn: called with one item of each iterable.
            iterables: read now, to the end of the shortest; with `buffersize` only as far as needed, so they may be endless. What they
                raise is raised now, or with `buffersize` in its place.
            timeout: seconds from now after which waiting for a value is a TimeoutError.
            chunksize: items in one task; None for as many as it takes for a task to last some 30 ms, which is quicker for short calls.
            buffersize: tasks that have been submitted and whose values have not been asked for; None for all. With `chunksize` None it
                counts items.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if buffersize is None:
            return self._until_closed(self._intake.stream(fn, iterables, chunksize), deadline)
        buffersize = check_count("buffersize", buffersize)
        if chunksize is None:
            return self._until_closed(self._intake.pull(fn, iterables, Manner(buffersize=buffersize)), deadline)
        return self._until_closed(self._intake.pull(fn, iterables, Manner(chunksize=chunksize), buffersize), deadline)

    def _until_closed(self, stream: Stream, deadline: float | None) -> Iterator[Any]:
        """The values; what is left is given up when somebody stops asking."""
        try:
            yield from stream.values(deadline)
        except BaseException:
            self._intake.give_up([stream.result])
            raise

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls. Maps with a `buffersize` are read no further; who asks for what was not read gets ClosedError.

        Args:
            wait: until all of its calls are done and their callbacks have run. If not, they are done all the same, but not after
                the end of the script.
            cancel_futures: cancel those that have not begun.
        """
        self._intake.close()
        self._intake.stop_reading()
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
