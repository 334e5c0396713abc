"""What an executor and a pool have in common: a view that takes their calls, what they have submitted, and an end.

It knows no interface of anybody else's; those are in executor.py and pool.py. Results keep themselves alive until they are done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from mpikernel.client.labels import label_of
from mpikernel.client.preparing import Manner, prepare, read_now
from mpikernel.client.result import AsyncMapResult, AsyncResult
from mpikernel.client.streaming import Stream
from mpikernel.errors import ClosedError, MpikernelError, UsageError

if TYPE_CHECKING:
    from mpikernel.client.balanced import LoadBalancedView
    from mpikernel.client.feeding import Feed

Initializer = Callable[..., object] | None


class Intake:
    """Takes calls until it is closed. `refusal` is what it raises from then on."""

    def __init__(self, view: LoadBalancedView, refusal: MpikernelError, initializer: Initializer, initargs: Iterable[Any]) -> None:
        self.view = view
        self.closed = False
        self._refusal = refusal
        self._taking = threading.RLock()  # none is taken while it closes; again, because a callback may submit
        self._taken: WeakSet[AsyncResult] = WeakSet()  # what nobody holds any more is done
        self._pulled: WeakSet[Feed] = WeakSet()  # of maps that are read as their values are asked for
        self._prepared = self._prepare(initializer, tuple(initargs)) if initializer is not None else None

    def _prepare(self, initializer: Callable[..., object], arguments: tuple[Any, ...]) -> AsyncResult:
        if not callable(initializer):
            raise UsageError(f"initializer={initializer!r} cannot be called on engines: it is a function, or None")
        return self.view.client.direct_view(self.view.targets).apply_async(initializer, *arguments)

    def check_open(self) -> None:
        """Refuse what comes too late."""
        if self.closed:
            raise self._refusal

    def check_ready(self) -> None:
        """The same; and wait until each engine has run the initializer.

        Raises:
            BrokenExecutor: the initializer failed; what it raised is the cause.
        """
        self.check_open()
        error = self._prepared.exception() if self._prepared is not None else None
        if error is not None:
            raise BrokenExecutor(f"the initializer failed, so nothing can be called: {error}") from error

    def apply(self, function: Callable[..., Any], args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None) -> AsyncResult:
        """Submit one call."""
        self.check_ready()  # without the lock: who closes need not wait for an initializer
        with self._taking:
            self.check_open()
            result = self.view.apply_async(function, *args, **(kwargs or {}))
            self._taken.add(result)
        return result

    def map(self, function: Callable[..., Any], items: Iterable[Any], chunksize: int | None) -> AsyncMapResult:
        """Submit a call for each of the items, all of which are read now."""
        label_of(function)  # refuses what cannot be called before anything is read
        columns = read_now([items])
        self.check_ready()
        with self._taking:
            self.check_open()
            result = self.view.map_async(function, *columns, chunksize=chunksize)
            self._taken.add(result)
        return result

    def stream(self, function: Callable[..., Any], columns: Sequence[Iterable[Any]], chunksize: int | None) -> Stream:
        """The same for items of columns, for values that are taken one by one. An item that cannot be sent is told in its place."""
        label_of(function)
        manner = Manner(chunksize=chunksize).checked(self.view.timeout)
        self.check_ready()
        fixed = read_now(columns)
        with self._taking:
            self.check_open()
            feed, result = prepare(self.view, function, fixed, manner, by_itself=True)
            self._taken.add(result)
        feed.go_on()
        return Stream(feed, result, None, manner.ordered)

    def pull(
        self,
        function: Callable[..., Any],
        columns: Sequence[Iterable[Any]],
        manner: Manner,
        tasks: int | None = None,
        late: type[Exception] = TimeoutError,
    ) -> Stream:
        """The same, but items are read as values are asked for.

        Args:
            tasks: how many tasks are ahead of the one whose values are asked for; as many as turn out to be enough if None.
            late: as in Stream.
        """
        label_of(function)
        manner = manner.checked(self.view.timeout)
        self.check_ready()
        with self._taking:
            self.check_open()
            feed, result = prepare(self.view, function, columns, manner, by_itself=False)
            self._taken.add(result)
            self._pulled.add(feed)
        window = manner.window(len(self.view), None if tasks is None else tasks + 1)
        feed.read(window.size if tasks is None else tasks)
        return Stream(feed, result, window, manner.ordered, late)

    def close(self) -> None:
        """Take no more."""
        with self._taking:
            self.closed = True

    def stop_reading(self) -> None:
        """Of maps that are read as their values are asked for, read no more: who asks for what was not read is refused."""
        for feed in self._feeds():
            feed.refuse(self._refusal)

    def read_on(self) -> None:
        """Those that somebody still has, read to their end, whether or not their values are asked for."""
        for feed in self._feeds():
            feed.read_on()

    def _feeds(self) -> list[Feed]:
        with self._taking:
            return list(self._pulled)

    def abort(self) -> None:
        """Cancel what has not begun."""
        self._abort(self._all())

    def give_up(self, results: Iterable[AsyncResult]) -> None:
        """Cancel what has not begun of these; nobody will ask how they ended."""
        for result in results:
            result.pass_over()
        self._abort(results)

    def _abort(self, results: Iterable[AsyncResult]) -> None:
        left = [result for result in results if not result.done()]
        if left:
            with suppress(ClosedError):  # the world is ending, and they end with it
                self.view.client.port.cancel_results(left)

    def wait(self) -> None:
        """Wait until everything is done and callbacks have run."""
        for result in self._all():
            result.wait_until_told()

    def _all(self) -> list[AsyncResult]:
        with self._taking:
            return list(self._taken)
