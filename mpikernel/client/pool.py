"""Pool: the engines with the interface of `multiprocessing.Pool`, and what samplers expect of an MPI pool.

It knows nothing of processes: an engine stands for a worker, and it is there before the pool and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sized
from functools import partial
from typing import Any, NoReturn

from mpikernel.client.client import Client
from mpikernel.client.intake import Initializer, Intake
from mpikernel.client.items import Starred
from mpikernel.client.pipeline import Pipeline, check_count
from mpikernel.client.result import AsyncMapResult, AsyncResult
from mpikernel.client.view import label_of
from mpikernel.errors import PoolTimeoutError, UsageError

Told = Callable[[Any], object] | None
#: Tasks that each engine is to have of a map whose chunk size is not given, as in multiprocessing.
SHARE = 4
#: Tasks under way for each engine while the values of `imap` are asked for.
AHEAD = 4


class PoolResult:
    """What an asynchronous call of a pool will bring, with the names of multiprocessing. It can be awaited too.

    Attributes:
        result: the same as mpikernel has it, an AsyncResult.
    """

    def __init__(self, result: AsyncResult, callback: Told, error_callback: Told) -> None:
        self.result = result
        self._callback = callback
        self._error_callback = error_callback
        if callback is not None or error_callback is not None:
            result.add_done_callback(self._tell)

    def _tell(self, _: object) -> None:
        try:
            value = self._value()
        except Exception as error:
            if self._error_callback is not None:
                self._error_callback(error)
        else:
            if self._callback is not None:
                self._callback(value)

    def _value(self) -> Any:
        """The value of what is done; for several tasks, the exception of the first that failed."""
        return list(self.result) if isinstance(self.result, AsyncMapResult) else self.result.result()

    def get(self, timeout: float | None = None) -> Any:
        """The value. Blocks until it is there.

        Raises:
            PoolTimeoutError: (a multiprocessing.TimeoutError and a TimeoutError) it is not there after `timeout` seconds.
            what the function raised; of a map, the first in its order.
        """
        if not self.result.wait(timeout):
            raise PoolTimeoutError(f"it is not there after {timeout} s: {self.result!r}")
        return self._value()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is done, at most `timeout` seconds (None: no limit). Its callbacks have run then."""
        if self.result.wait(timeout):
            self.result.wait_until_told()

    def ready(self) -> bool:
        """Whether it is done."""
        return self.result.ready()

    def successful(self) -> bool:
        """Whether it ended without an exception. ValueError if it has not ended."""
        return self.result.successful()

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self.result.arrival().__await__()
        return self._value()

    def __repr__(self) -> str:
        return repr(self.result).replace(type(self.result).__name__, type(self).__name__, 1)


class Pool:
    """The engines of this script's world, with the interface of `multiprocessing.Pool`.

    Args:
        processes: how many engines to use, the first ones; all if None.
        initializer: called as initializer(*initargs) once on each of them, now. If it fails, calls raise BrokenExecutor.
        initargs: its arguments.

    Raises:
        UsageError: there are not as many engines.
        NoWorldError: the script was not started as one of a world.
    """

    def __init__(self, processes: int | None = None, initializer: Initializer = None, initargs: Iterable[Any] = ()) -> None:
        client = Client()
        if processes is not None and check_count("processes", processes) > len(client):
            there = "1 engine" if len(client) == 1 else f"{len(client)} engines"
            raise UsageError(f"processes={processes}, but the world has {there}: start the script with more ranks, or leave processes out")
        self._wait = client.port.wait
        view = client.load_balanced_view(None if processes is None else range(processes))
        self._intake = Intake(view, UsageError("this pool is closed; make another with Pool()"), initializer, initargs)

    # calling -----------------------------------------------------------------------------------------------------------

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: dict[str, Any] | None = None) -> Any:
        """Call func(*args, **kwds) on one engine and wait for the value."""
        return self._intake.apply(func, args, kwds).result()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: dict[str, Any] | None = None,
        callback: Told = None,
        error_callback: Told = None,
    ) -> PoolResult:
        """As `apply`, without waiting. `callback` is called with the value, or `error_callback` with the exception."""
        return PoolResult(self._intake.apply(func, args, kwds), callback, error_callback)

    def map(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None, callback: Told = None) -> list[Any]:
        """The values of func for the items, as a list.

        Args:
            func: called with one item.
            iterable: the items; all of them are read before the first is called.
            chunksize: items in one task; if None, so many that each engine gets four tasks.
            callback: called with each value, in order, as soon as it is there.
        """
        result = self._map(func, iterable, chunksize)
        values = []
        for value in result:
            values.append(value)
            if callback is not None:
                callback(value)
        return values

    def map_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Told = None,
        error_callback: Told = None,
    ) -> PoolResult:
        """As `map`, without waiting. `callback` is called once with the whole list, or `error_callback` with the exception."""
        return PoolResult(self._map(func, iterable, chunksize), callback, error_callback)

    def starmap(self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None) -> list[Any]:
        """As `map`, but each item is a tuple of arguments."""
        return list(self._map(Starred(func, label_of(func)), iterable, chunksize))

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Told = None,
        error_callback: Told = None,
    ) -> PoolResult:
        """As `map_async`, but each item is a tuple of arguments."""
        return PoolResult(self._map(Starred(func, label_of(func)), iterable, chunksize), callback, error_callback)

    def imap(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1) -> Pipeline:
        """The values one by one, in order, without waiting for all. The items are read as far as needed, so they may be endless.

        The iterator has a method `next(timeout)` too; what the function raised is raised in the place of its values.
        """
        return self._pipeline(func, iterable, chunksize, ordered=True)

    def imap_unordered(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1) -> Pipeline:
        """As `imap`, but whichever is there first."""
        return self._pipeline(func, iterable, chunksize, ordered=False)

    def _map(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None) -> AsyncMapResult:
        items = iterable if isinstance(iterable, Sized) else list(iterable)
        return self._intake.map(func, [items], -(-len(items) // (SHARE * self.size)) or 1 if chunksize is None else chunksize)

    def _pipeline(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int, ordered: bool) -> Pipeline:
        label_of(func)
        self._intake.check_ready()
        rows = ((item,) for item in iterable)
        return Pipeline(partial(self._intake.apply_chunk, func), self._wait, rows, chunksize, AHEAD * self.size, ordered, PoolTimeoutError)

    # the end -----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more calls; those under way go on."""
        self._intake.close()

    def terminate(self) -> None:
        """Take no more calls, and cancel those that have not begun. The engines stay, for others."""
        self._intake.close()
        self._intake.abort()

    def join(self) -> None:
        """Wait until all calls are done and their callbacks have run. The pool must be closed."""
        if not self._intake.closed:
            raise UsageError("this pool is still open: close() or terminate() it before join()")
        self._intake.wait()

    def __enter__(self) -> Pool:
        self._intake.check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()

    # what samplers ask -------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many engines it uses."""
        return len(self._intake.view)

    def is_master(self) -> bool:
        """True: the script runs on one rank only, and that one has the pool."""
        return True

    def is_worker(self) -> bool:
        """False, as `is_master` is true."""
        return False

    def wait(self, callback: Callable[[], object] | None = None) -> None:
        """Returns at once: where every rank runs the script, those that are not the master wait here for work.

        Args:
            callback: what such a rank would call in the end; it is not called.
        """

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Pool cannot be sent to engines: calls are made in the script")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, engines {self._intake.view.targets}{', closed' if self._intake.closed else ''}>"
