"""What a pool's calls give back, with the names of multiprocessing: a result, or values one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from mpikernel.client.result import AsyncMapResult, AsyncResult
from mpikernel.client.streaming import Stream
from mpikernel.errors import PoolTimeoutError

Told = Callable[[Any], object] | None


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


class PoolValues(Iterator[Any]):
    """The values of a map one after the other.

    What an item raised is raised in its place, and one may go on after it. What reading the items raised is raised after the values of
    those that were read before, and is the end.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._values: Iterator[tuple[int, Any]] = iter(())  # of the last piece, by index
        self._errors: dict[int, Exception] = {}

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """The next value.

        Raises:
            PoolTimeoutError: it is not there after `timeout` seconds (None: no limit). It can be asked for again.
            StopIteration: there are no more.
            what the function raised.
        """
        while True:
            for index, value in self._values:
                if index in self._errors:
                    raise self._errors[index]
                return value
            brought = self._stream.take(timeout)
            if brought is None:
                raise StopIteration
            values, self._errors = brought
            self._values = iter(enumerate(values))
