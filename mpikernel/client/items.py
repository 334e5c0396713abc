"""What a map runs on an engine: importable there, so that only the user's function travels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from mpikernel.errors import ItemsFailed, SerializeError, TaskReject
from mpikernel.wire.failure import describe, one_line, put_before
from mpikernel.wire.payload import dump

#: How an item failed: its index in the task, its exception as frames, and that in one line.
Failure = tuple[int, list[bytes], str]


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
        failures: list[Failure] = []
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
                failures.append(_described(failure, len(values)))
            keep(value)
        if failures:
            raise _taken_apart(values, failures)
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


def _described(error: Exception, index: int) -> Failure:
    return index, [bytes(frame) for frame in describe(error, f"item {index} of its task:")], one_line(error)


def _taken_apart(values: list[Any], failures: list[Failure]) -> ItemsFailed:
    """How a chunk ends with items that failed. Its values are pickled one by one: one that cannot be has failed too, by itself."""
    failed = {index for index, _, _ in failures}
    lost: list[Failure] = []
    frames: list[list[bytearray] | None] = []
    for index, value in enumerate(values):
        what = f"the value of item {index} of its task"
        try:
            frames.append(None if index in failed else [bytearray(frame) for frame in dump(value, what)])
        except SerializeError as error:
            frames.append(None)
            lost.append(_described(error, index))
    return ItemsFailed(frames, sorted([*failures, *lost], key=itemgetter(0)))
