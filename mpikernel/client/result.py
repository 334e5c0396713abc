"""AsyncResult: what a call will bring. A `concurrent.futures.Future`, with the names that IPython's parallel users know.

Values are rebuilt when they are first asked for, in the thread that asks; until then they are bytes as they came.
Waiting for one drives the rank's loop, so nothing else has to run meanwhile.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cached_property
from os import PathLike
from typing import Any, NoReturn, Self

from mpikernel.arrays.growing import FLUSH_INTERVAL, store_rows
from mpikernel.client.awaiting import arrival
from mpikernel.client.calls import FINISHED, OVER, FutureOfCalls
from mpikernel.client.limits import seconds
from mpikernel.client.metadata import KEYS, Metadata, metadata_of
from mpikernel.client.port import Port
from mpikernel.client.progress import show_progress
from mpikernel.client.state import Call
from mpikernel.errors import CompositeError, MpikernelError, RemoteError, TaskAborted
from mpikernel.wire.envelope import Departure
from mpikernel.wire.failure import text_of

Assemble = Callable[[list[Any]], Any]
NOT_ASKED_FOR = object()


class AsyncResult(FutureOfCalls):
    """The result of one call on one engine (`single`), or of calls on several, in target order.

    A single result raises what the engine raised, as its original type. Several raise a CompositeError if any failed.
    """

    _left = 0  # calls that have not ended
    _launched = False  # there are no more calls to come
    _seen = False  # somebody knows how it ended
    _value: Any = NOT_ASKED_FOR  # the assembled value, once it was asked for

    def __init__(self, port: Port, name: str, single: bool, assemble: Assemble = list) -> None:
        self._port = port
        self._name = name  # what was called, for errors
        self._single = single
        self._assemble = assemble
        self._begun = time.time()

    @cached_property
    def departure(self) -> Departure:
        """Of the buffers that go with its calls."""
        return Departure(0)

    def expecting(self, calls: Sequence[Call]) -> None:
        """These calls are about to be sent; under the loop's lock, so that none can end before it is counted."""
        self._calls = [*self._calls, *calls]
        self._left += len(calls)

    def expecting_nothing_but(self, call: Call) -> None:
        """This is its only call, about to be sent; under the loop's lock."""
        self._calls, self._left, self._launched = (call,), 1, True

    def launched(self) -> Self:
        """Everything has been submitted: have it leave."""
        with self._port.loop.hold:
            over = self._left == 0 and not self._launched
            self._launched = True
        if over:
            self._tell()
        self._port.nudge()
        return self

    def arrived(self, call: Call) -> None:
        """A call has ended; under the loop's lock."""
        self._left -= 1
        if self._left or not self._launched:
            return
        if not self._single or call.failed or call.aborted or self._port.state.screen.behind or not self.finish_unseen():
            self._port.loop.afterwards(self._tell)

    def done(self) -> bool:
        """Whether it is done, or was cancelled. Unlike `ready` it does not look for news first."""
        if self._state in OVER:
            return True
        self._port.state.traffic.asked = time.monotonic()
        return False

    def awaited(self) -> bool:
        """Whether anybody will be told when it is done: whoever waits by the means of futures does not wait here."""
        return bool(self._waiters or self._done_callbacks)  # the first is what concurrent.futures.wait uses

    @property
    def sent(self) -> bool:
        """Whether the arrays that went with its calls have left their memory, so that they may be changed."""
        if self.departure.pending:
            self._port.nudge()
        return not self.departure.pending

    def wait_for_send(self, timeout: float | None = None) -> bool:
        """Wait until `sent`; whether it is, after at most `timeout` seconds (None or negative: no limit)."""
        return self._port.wait(lambda: not self.departure.pending, seconds(timeout))

    def _settle(self) -> None:
        """All calls have ended: become done, which runs the callbacks. Outside the lock."""
        try:
            self._port.state.screen.wait()  # only that: in user code, which may want what somebody holds who waits here, it would hang
        finally:  # whatever a signal handler raises
            self._become_done()

    def _become_done(self) -> None:
        bad = self._bad_calls()
        if bad and len(bad) == self._count and all(call.aborted for call in bad):
            super().cancel()
            self.set_running_or_notify_cancel()
        elif self._has_failed():
            self._port.state.remember_failure(self._number, self._name, [call for call in bad if call.failed])
            if self._seen:  # before all of it had ended
                self.pass_over()
            self.set_exception(self._failure_as_told())
        else:
            self._finish()

    def _failure_as_told(self) -> Exception:
        """The failure; it must be had, or whoever waits would wait for ever."""
        try:
            return self._failure()
        except BaseException as error:
            return RemoteError(type(error).__name__, f"{text_of(error)}, while the failure of {self._name} was rebuilt")

    def pass_over(self) -> None:
        """Nobody need be told in the end how it ended: somebody has seen it, or one of its failures, or does not want to."""
        self._seen = True
        if self._port.state.unseen:
            self._port.state.unseen.pop(self._number, None)

    def _failure(self) -> Exception:
        if self._single:
            return self._error_of(self.calls[0])
        bad = self._bad_calls()
        what = f"{self._name} failed in {len(bad)} of {len(self)} calls"
        return CompositeError(what, [self._error_of(call) for call in bad], [call.engine for call in bad])

    def _error_of(self, call: Call) -> Exception:
        return call.exception() if call.failed else self._aborted((call,))

    def _aborted(self, calls: Sequence[Call] | None = None) -> TaskAborted:
        """What tells how calls of it were cancelled, or all of them: the first that was interrupted, else that none had begun."""
        told = {call.done.error for call in (self._bad_calls() if calls is None else calls) if call.done is not None and call.done.started}
        return TaskAborted(f"{self._name} was {min(told, default='cancelled before it began')}")

    # the Future --------------------------------------------------------------------------------------------------------

    def result(self, timeout: float | None = None) -> Any:
        """The value. Blocks until it is there.

        Raises:
            TimeoutError: it is not there after `timeout` seconds (None or negative: no limit).
            TaskAborted: the call was cancelled before it began, or interrupted by `abort`; says which.
            the exception that the engine raised; CompositeError for several engines.
        """
        if self._state not in OVER:
            self._await(timeout)
        self.pass_over()
        if self._state != FINISHED:
            raise self._aborted()
        if self._exception is not None:
            raise self._exception
        if self._value is NOT_ASKED_FOR:
            self._value = self._rebuilt()
        return self._value

    def _rebuilt(self) -> Any:
        return self._calls[0].value() if self._single else self._assemble([call.value() for call in self.calls])

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The exception that `result` would raise, or None. Blocks like it."""
        self._await(timeout)
        self.pass_over()
        if self.cancelled():
            raise self._aborted()
        error = super().exception()
        if error is None:
            try:
                self.result()
            except MpikernelError as failure:  # came well, but cannot be rebuilt here
                return failure
        return error

    def cancel(self) -> bool:
        """Cancel what has not begun. True only if no call of it has begun, which the engines were asked; it waits for the answer."""
        if self.done():
            return self.cancelled()
        return self._port.cancel(*self.under_way()) and self.wait() and self.cancelled()

    def abort(self) -> None:
        """Cancel those of its calls that have not begun, and interrupt those that run.

        It waits until the engines have been told, but not for what runs to end: `wait` does. What runs gets a KeyboardInterrupt, which its
        `except`, `finally` and `with` see, and another every second until it has ended. C code ends when it returns to Python; the
        engine's log says where a call is that does not, and a direct call that sits in MPI for a few seconds is given up. One that returns
        a value all the same has it; otherwise asking for it raises TaskAborted. In a world of one rank a call is interrupted only if it
        runs in the main thread and another thread aborts it.
        """
        if not self.done():
            self._port.cancel(*self.under_way(), interrupt=True)

    def _await(self, timeout: float | None) -> None:
        if not self.wait(timeout):
            raise TimeoutError(f"{self._name} is not done after {timeout} s: {self.progress} of {len(self)} calls have ended")

    # the names of IPython's parallel tools -----------------------------------------------------------------------------

    def get(self, timeout: float | None = None) -> Any:
        """Same as `result`."""
        return self.result(timeout)

    @property
    def r(self) -> Any:
        """The value, waited for."""
        return self.result()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done; whether it is, after at most `timeout` seconds (None or negative: no limit)."""
        limit = seconds(timeout)
        return self.done() or self._port.wait(self.done, limit, held_by=self._holds if limit is None else None)

    def _holds(self, call: Call) -> bool:
        return call.collector is self

    def ready(self) -> bool:
        """Whether it is done."""
        if not self.done():
            self._port.nudge()
        return self.done()

    def successful(self) -> bool:
        """Whether it ended without an exception. ValueError if it has not ended."""
        if not self.ready():
            raise ValueError(f"{self._name} is not done: whether it was successful is not known yet")
        self.pass_over()
        return not self.cancelled() and super().exception() is None

    def get_dict(self, timeout: float | None = None) -> dict[int, Any]:
        """Values by engine id (the last one, where an engine had several calls)."""
        value = self.result(timeout)
        values = [value] if self._single else [call.value() for call in self.calls]
        return {call.engine: value for call, value in zip(self.calls, values, strict=True)}

    def wait_until_told(self) -> None:
        """Wait until it is done and the callbacks that were added before have run, but for one of them that calls this."""
        self._port.wait(lambda: self.told)

    def __await__(self) -> Generator[Any, None, Any]:
        """`await result` gives its value; what is awaited in vain, because the awaiting task is cancelled, is aborted."""
        yield from self.arrival().__await__()
        return self.result()

    async def arrival(self) -> None:
        """Wait in a coroutine until it is done, however it ended. If the waiting task is cancelled, it is aborted."""
        await arrival(self)

    def __bool__(self) -> bool:
        return True

    @property
    def elapsed(self) -> float:
        """Seconds since it was submitted; until it was done, once it is."""
        return (max((call.received for call in self.calls), default=self._begun) if self.done() else time.time()) - self._begun

    @property
    def wall_time(self) -> float:
        """Seconds from its submission until the last result came; waits for it."""
        self.wait()
        return self.elapsed

    def wait_interactive(self, interval: float = 0.5, timeout: float | None = None, label: str | None = None) -> bool:
        """Wait with a progress bar on stderr: one that moves on a terminal, a line now and then in a log file.

        Args:
            interval: seconds between looks at it.
            timeout: as in `wait`.
            label: what the bar is called; the function's name if None.
        """
        return show_progress(self, label or self._name, interval, seconds(timeout))

    @property
    def metadata(self) -> Metadata | list[Metadata]:
        """What is known about the call; a list for several."""
        rows = [metadata_of(call, self._port.state) for call in self.calls]
        return rows[0] if self._single else rows

    def __getattr__(self, name: str) -> Any:
        if name not in KEYS:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        rows = self.metadata
        return rows[name] if isinstance(rows, Metadata) else [row[name] for row in rows]

    def display_outputs(self) -> None:
        """Print what its calls printed, each line with the engine's id in front. Waits for it."""
        self.wait()
        for call in self.calls:
            if call.done is None:
                continue
            for stream, text, file in (("stdout", call.done.stdout, sys.stdout), ("stderr", call.done.stderr, sys.stderr)):
                file.writelines(f"[{stream}:{call.engine}] {line}\n" for line in text.splitlines())

    def __iter__(self) -> Iterator[Any]:
        """Results in target order, each as soon as it is there. A call that failed raises when its turn comes."""
        for call in self.calls:
            yield self._value_when_there(call)

    def _value_when_there(self, call: Call) -> Any:
        self._port.wait(lambda: call.done is not None, held_by=lambda other: other is call)
        if call.failed or call.aborted:
            self.pass_over()
            raise self._error_of(call)
        return call.value()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AsyncResult cannot be sent to engines: send its value, result.get()")

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "done" if self.done() else f"{self.progress} of {len(self)} done"
        return f"<{type(self).__name__}: {self._name}, {state}>"


class AsyncMapResult(AsyncResult):
    """The result of a map: a list with one value for each item, in the order of the items.

    Iterating gives values as they come: in order, or, with ordered=False, whichever part is there first.
    """

    def __init__(self, port: Port, name: str, ordered: bool = True, assemble: Assemble | None = None) -> None:
        super().__init__(port, name, single=False, assemble=assemble or _chained)
        self._ordered = ordered

    def to_hdf5(self, path: str | PathLike[str], name: str = "results", overwrite: bool = False, **options: Any) -> None:
        """Write the values into a dataset of an HDF5 file as they come, in order, and let go of them; waits for all.

        The dataset grows along its first axis by one row for each item. Whatever ends the script, a kill too, the file holds the
        rows of all but the last second; the dataset's attribute `complete` tells whether they are all. Once a value has been
        written, `get` does not have it any more.

        Args:
            path: the file. What is in it already stays.
            name: of the dataset in it.
            overwrite: replace a dataset of this name, as soon as the first value is there.
            options: for h5py's create_dataset: compression, chunks, dtype and more. With dtype given, items are converted to it.

        Raises:
            UsageError: the dataset is there or cannot be made so, or an item (named by its index) is no number and no array of
                numbers, or not of the shape and dtype of the first. The items before it are in the file.
            ArrayFileError: the file is locked or no HDF5, a folder is missing, there is no permission or no room.
            the exception that an engine raised; the items before it are in the file.
        """
        store_rows(self._taken(FLUSH_INTERVAL), path, name, overwrite, options)

    def _taken(self, patience: float) -> Iterator[Sequence[Any]]:
        """The values of each call, in order, not kept here; an empty sequence when none came for `patience` seconds."""
        for call in self.calls:
            while not self._wait_for(call, patience):
                yield ()
            self._value_when_there(call)
            yield call.take()

    def _wait_for(self, call: Call, patience: float) -> bool:
        return self._port.wait(lambda: call.done is not None, patience, held_by=lambda other: other is call)

    def __iter__(self) -> Iterator[Any]:
        for call in self.calls if self._ordered else self._as_they_come():
            yield from self._value_when_there(call)

    def _as_they_come(self) -> Iterator[Call]:
        waiting = dict.fromkeys(self.calls)
        while waiting:
            self._port.wait(lambda: any(call.done is not None for call in waiting))
            for call in sorted((call for call in waiting if call.done is not None), key=lambda call: call.received):
                del waiting[call]
                yield call


def _chained(parts: list[Any]) -> list[Any]:
    return [item for part in parts for item in part]
