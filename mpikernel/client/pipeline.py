"""Calls for the items of an iterable that is read only as far as needed: a bounded number of them is under way at a time.

The values come in order, or as they come. Knows neither views nor pools: it is told how to submit a chunk, and how to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from mpikernel.client.result import AsyncResult
from mpikernel.errors import UsageError

Row = tuple[Any, ...]
Submit = Callable[[list[Row]], AsyncResult]
#: Waits until a condition holds, at most so many seconds; whether it does.
Wait = Callable[[Callable[[], bool], float | None], bool]


class Pipeline(Iterator[Any]):
    """The values, one by one. The first calls are submitted at once.

    What an item raised is raised in its place, and is the last of its chunk; one may go on after it. What reading the rows, or
    submitting them, raised is raised after the values of the rows that were read before.
    """

    def __init__(
        self,
        submit: Submit,
        wait: Wait,
        rows: Iterator[Row],
        chunksize: int,
        bound: int | None,
        ordered: bool = True,
        late: type[Exception] = TimeoutError,
    ) -> None:
        self._submit = submit
        self._wait = wait
        self._rows = rows
        self._chunksize = check_count("chunksize", chunksize)
        self._bound = bound  # calls under way; None: no limit
        self._ordered = ordered
        self._late = late  # what `next` raises when a value does not come in time
        self._under_way: deque[AsyncResult] = deque()
        self._values: Iterator[Any] = iter(())  # of the call that was last done
        self._failure: Exception | None = None  # what reading or submitting raised, until it is told
        self._at_end = False  # nothing more is read
        self._fill()

    @property
    def left(self) -> list[AsyncResult]:
        """The calls whose values have not been asked for yet."""
        return list(self._under_way)

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """The next value.

        Raises:
            TimeoutError: (of a pool, PoolTimeoutError) it is not there after `timeout` seconds (None: no limit). It can be asked for again.
            StopIteration: there are no more.
            what the function raised.
        """
        for value in self._values:
            return value
        first = self._first_done(timeout)
        self._under_way.remove(first)
        self._fill()
        self._values = iter(first)
        return next(self._values)

    def _first_done(self, timeout: float | None) -> AsyncResult:
        if not self._under_way:
            failure, self._failure = self._failure, None
            raise failure or StopIteration
        expected = list(self._under_way)[:1] if self._ordered else list(self._under_way)
        if not self._wait(lambda: any(result.done() for result in expected), None if timeout is None else max(0.0, timeout)):
            raise self._late(f"the next value is not there after {timeout:.6g} s; {len(self._under_way)} calls are under way")
        return next(result for result in expected if result.done())

    def _fill(self) -> None:
        while not self._at_end and (self._bound is None or len(self._under_way) < self._bound):
            chunk = self._read()
            try:
                if chunk:
                    self._under_way.append(self._submit(chunk))
            except Exception as error:
                self._failure, self._at_end = error, True

    def _read(self) -> list[Row]:
        """The next rows: fewer than a chunk if they end, or reading them raises."""
        chunk: list[Row] = []
        try:
            while len(chunk) < self._chunksize:
                chunk.append(next(self._rows))
        except StopIteration:
            self._at_end = True
        except Exception as error:
            self._failure, self._at_end = error, True
        return chunk


def check_count(name: str, count: Any) -> int:
    """A number of something, of which there must be one at least.

    Raises:
        UsageError: it is no such number.
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UsageError(f"{name}={count!r} makes no sense: it is an integer, 1 or more")
    return count
