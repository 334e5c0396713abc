"""What the tasks of a map brought, item by item: values, and the exceptions of those that failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

from mpikernel.client.state import Call, Part
from mpikernel.errors import ItemsFailed, SerializeError
from mpikernel.wire.failure import rebuild
from mpikernel.wire.payload import dump, load

#: So many failed items are named in the text of an error.
NAMED = 5


class Outcomes:
    """How to read what tasks brought.

    Args:
        chunked: whether tasks give lists, for several items each.
        exceptions_are_values: whether the exception of an item that failed stands in the place of its value.
        place: tells where an engine is, and in what, for remote tracebacks.
    """

    def __init__(self, chunked: bool, exceptions_are_values: bool, place: Callable[[int], str]) -> None:
        self.exceptions_are_values = exceptions_are_values
        self._chunked = chunked
        self._place = place
        self._rebuilt: WeakKeyDictionary[ItemsFailed, tuple[list[Any], dict[int, Exception]]] = WeakKeyDictionary()

    def good(self, piece: Part | Call) -> Sequence[Any]:
        """The values of tasks that ended well."""
        values = piece.values() if isinstance(piece, Part) else (piece.value(),)
        return list(chain.from_iterable(values)) if self._chunked else values

    def singly(self, piece: Part | Call, error: Exception, items: Sequence[int]) -> tuple[Sequence[Any], dict[int, Exception]]:
        """The values of tasks that ended well, some of which cannot be rebuilt here.

        Args:
            error: why the first of them cannot.
            items: how many items each task has.
        """
        values: list[Any] = []
        errors: dict[int, Exception] = {}
        for index, count in enumerate(items):
            try:
                if not isinstance(piece, Part):
                    raise error
                value = piece.value(index)
                values += value if self._chunked else (value,)
            except SerializeError as lost:
                errors.update(dict.fromkeys(range(len(values), len(values) + count), lost))
                values += [None] * count
        return self._told(values, errors)

    def bad(self, call: Call, error: Exception, items: int) -> tuple[Sequence[Any], dict[int, Exception]]:
        """The values of a task that did not end well, and the exceptions of the items that failed, by index."""
        return self._told(*self._taken_apart(call, error, items))

    def _told(self, values: Sequence[Any], errors: dict[int, Exception]) -> tuple[Sequence[Any], dict[int, Exception]]:
        """As they are handed out: exceptions may stand in the place of values."""
        if self.exceptions_are_values:
            return [errors.get(index, value) for index, value in enumerate(values)], {}
        return values, errors

    def _taken_apart(self, call: Call, error: Exception, items: int) -> tuple[Sequence[Any], dict[int, Exception]]:
        if self._chunked and isinstance(error, ItemsFailed):
            return self._items_of(call.engine, error)
        return [None] * items, dict.fromkeys(range(items), error)

    def failures(self, call: Call, error: Exception, items: range) -> list[tuple[range, Exception]]:
        """What went wrong in a task with these items: an exception for each item, or for the whole task."""
        if self._chunked and isinstance(error, ItemsFailed):
            return [(items[index : index + 1], failure) for index, failure in sorted(self._items_of(call.engine, error)[1].items())]
        return [(items, error)]

    def _items_of(self, engine: int, failed: ItemsFailed) -> tuple[list[Any], dict[int, Exception]]:
        """The values, and the exceptions by index, rebuilt when they are first asked for."""
        if failed not in self._rebuilt:
            place = self._place(engine)
            errors = {index: _rebuild_at(frames, engine, place) for index, frames, _ in failed.failures}
            values = [None if frames is None else _value_at(index, frames, place, errors) for index, frames in enumerate(failed.values)]
            self._rebuilt[failed] = values, errors
        return self._rebuilt[failed]


def _value_at(index: int, frames: Sequence[bytearray], place: str, errors: dict[int, Exception]) -> Any:
    """An item's value; None for one that cannot be rebuilt here: why is in `errors` then."""
    try:
        return load(frames, what=f"the value of item {index} of its task ({place})")
    except SerializeError as error:
        errors[index] = error
        return None


def _rebuild_at(frames: Sequence[bytes], engine: int, place: str) -> Exception:
    """An item's exception, with the place where it was raised in its remote traceback."""
    name, text, trace, *rest = load(frames, what="the description of an error")
    return rebuild(dump((name, text, f"{place}, {trace}", *rest)), engine)


class NamedFailures:
    """Failures of a map, as they are told together."""

    def __init__(self) -> None:
        self.exceptions: list[Exception] = []
        self.engines: list[int] = []
        self._items: list[range] = []

    def add(self, engine: int, failures: Sequence[tuple[range, Exception]]) -> None:
        """What went wrong in one task."""
        for items, error in failures:
            self._items.append(items)
            self.exceptions.append(error)
            self.engines.append(engine)

    def text(self, total: int) -> str:
        """How many of the calls failed, and for which items."""
        names = [str(items.start) if len(items) == 1 else f"{items.start}-{items.stop - 1}" for items in self._items[:NAMED]]
        more = ", ..." if len(self._items) > NAMED else ""
        return f"{sum(map(len, self._items))} of {total} calls (items {', '.join(names)}{more})"
