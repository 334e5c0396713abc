"""Pool: the engines with the interface of `multiprocessing.Pool`, and what samplers expect of an MPI pool.

It knows nothing of processes: an engine stands for a worker, and it is there before the pool and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from mpikernel.client.client import Client
from mpikernel.client.intake import Initializer, Intake
from mpikernel.client.items import Starred
from mpikernel.client.labels import label_of
from mpikernel.client.pool_results import PoolResult, PoolValues, Told
from mpikernel.client.preparing import Manner, check_count
from mpikernel.errors import PoolTimeoutError, UsageError


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
            chunksize: items in one task. If None, as many as it takes for a task to last some 30 ms, by the time that items are seen
                to take, and fewer towards the end.
            callback: called with each value, in order, as soon as it is there.
        """
        result = self._intake.map(func, iterable, chunksize)
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
        return PoolResult(self._intake.map(func, iterable, chunksize), callback, error_callback)

    def starmap(self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None) -> list[Any]:
        """As `map`, but each item is a tuple of arguments."""
        return list(self._intake.map(Starred(func, label_of(func)), iterable, chunksize))

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Told = None,
        error_callback: Told = None,
    ) -> PoolResult:
        """As `map_async`, but each item is a tuple of arguments."""
        return PoolResult(self._intake.map(Starred(func, label_of(func)), iterable, chunksize), callback, error_callback)

    def imap(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = 1) -> PoolValues:
        """The values one by one, in order, without waiting for all.

        The items are read as values are asked for, some tasks for each engine ahead, so they may be endless; `join` reads them to their
        end.

        Args:
            func: called with one item.
            iterable: the items.
            chunksize: items in one task; None as in `map`.
        """
        return PoolValues(self._intake.pull(func, [iterable], Manner(True, chunksize), late=PoolTimeoutError))

    def imap_unordered(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = 1) -> PoolValues:
        """As `imap`, but whichever is there first."""
        return PoolValues(self._intake.pull(func, [iterable], Manner(False, chunksize), late=PoolTimeoutError))

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
        self._intake.read_on()
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
