"""What a map runs on an engine: importable there, so that only the user's function travels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mpikernel.errors import ItemsFailed, TaskReject
from mpikernel.wire.failure import describe, one_line, put_before


class Starred:
    """A function that takes its arguments as one tuple. It keeps the function's name, for errors and the ledger."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function = function
        self.__qualname__ = name

    def __call__(self, arguments: Iterable[Any]) -> Any:
        return self._function(*arguments)


def apply_to_items(function: Callable[..., Any], *columns: Iterable[Any]) -> list[Any]:
    """The function's values for the items of equally long sequences."""
    return list(map(function, *columns))


class ItemByItem:
    """Calls a function for the items of a chunk. What one of them raises costs no other one.

    An item that fails is tried again in its place, `retries` times; if it fails still, `recovery` is called for it. What is raised
    through is the whole chunk's: that this engine is not one for it, what is no Exception, such as an interrupt, and the failure of an
    only item.
    """

    def __init__(self, function: Callable[..., Any], retries: int, recovery: Callable[..., Any] | None) -> None:
        self._function = function
        self._retries = retries
        self._recovery = recovery

    def __call__(self, *columns: Sequence[Any]) -> list[Any]:
        if len(columns[0]) == 1:
            return [self._call_only([column[0] for column in columns])]
        values: list[Any] = []
        failures: list[tuple[int, list[bytes], str]] = []
        function, keep = self._function, values.append
        for arguments in zip(*columns, strict=True):
            try:
                keep(function(*arguments))
                continue
            except TaskReject:
                raise
            except Exception as error:
                failed = error
            value, failure = self._try_again(failed, arguments)
            if failure is not None:
                failures.append((len(values), _described(failure, len(values)), one_line(failure)))
            keep(value)
        if failures:
            raise ItemsFailed(values, failures)
        return values

    def _call_only(self, arguments: Sequence[Any]) -> Any:
        try:
            return self._function(*arguments)
        except TaskReject:
            raise
        except Exception as error:
            failed = error
        value, failure = self._try_again(failed, arguments)
        if failure is not None:
            raise failure
        return value

    def _try_again(self, error: Exception, arguments: Sequence[Any]) -> tuple[Any, Exception | None]:
        """What came of an item that has failed once: its value, or what it raised the last time.

        Not to be called in the clause that has caught the first error: that would become the context of the others.
        """
        for _ in range(self._retries):
            try:
                return self._function(*arguments), None
            except TaskReject:
                raise
            except Exception as again:
                error = again
        return (None, error) if self._recovery is None else self._recover(self._recovery, error, arguments)

    def _recover(self, recovery: Callable[..., Any], error: Exception, arguments: Sequence[Any]) -> tuple[Any, Exception | None]:
        """What came of an item that has failed for good: the recovery's value, or what that raised, after what it was to make good."""
        try:
            return recovery(*arguments), None
        except TaskReject:
            raise
        except Exception as failure:
            put_before(error, failure)
            return None, failure


def _described(error: Exception, index: int) -> list[bytes]:
    return [bytes(frame) for frame in describe(error, f"item {index} of its task:")]
