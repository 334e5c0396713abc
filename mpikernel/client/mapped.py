"""TaskMapResult: what a map over a load-balanced view brings, item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from mpikernel.client.arrivals import Arrivals, length
from mpikernel.client.outcomes import NamedFailures, Outcomes
from mpikernel.client.port import Port
from mpikernel.client.state import Call, Part
from mpikernel.client.tasks import ResultOfTasks
from mpikernel.errors import CompositeError, SerializeError


class TaskMapResult(ResultOfTasks):
    """The result of a map whose items are tasks, or go in chunks. Where mpikernel chooses the chunks, `len` and `progress` count items."""

    def __init__(
        self, port: Port, name: str, ordered: bool, tasks: Arrivals, outcomes: Outcomes, expected: int | None, by_items: bool
    ) -> None:
        super().__init__(port, name, ordered, tasks, expected, by_items)
        self._outcomes = outcomes

    def _has_failed(self) -> bool:
        return self.cut or self.source_error is not None or (bool(self.tasks.bad) and not self._outcomes.exceptions_are_values)

    def _failure(self) -> Exception:
        if isinstance(self.source_error, Exception):
            return self.source_error
        found = NamedFailures()
        for position, call in sorted(self.tasks.bad.items()):
            found.add(call.engine, self._outcomes.failures(call, self._error_of(call), self.tasks.items_of(position)))
        if not found.exceptions:
            return self._aborted()
        return CompositeError(f"{self._name} failed in {found.text(self.tasks.items)}", found.exceptions, found.engines)

    def _rebuilt(self) -> list[Any]:
        pieces, values = self.tasks.pieces, list[Any]()
        for position in sorted(pieces):
            found, error = self._read(position, pieces[position])
            if error is not None:  # it came well, but cannot be rebuilt here
                raise error
            values += found
        return values

    def get_dict(self, timeout: float | None = None) -> dict[int, Any]:
        """By engine id the value of the last item that the engine had: each item counts as a call, however many went in one task."""
        self.result(timeout)
        last: dict[int, Any] = {}
        for position, piece in sorted(self.tasks.pieces.items()):
            values, engine = self._read(position, piece)[0], piece.done.engine if piece.done is not None else -1
            if values:
                last[engine] = values[-1]
        return last

    # one after the other -------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        for position, piece in self._in_order() if self._ordered else self._as_it_came():
            yield from self.values_of(position, piece)

    def values_of(self, position: int, piece: Part | Call) -> Iterator[Any]:
        """What a piece brought; the first item of it that failed raises after those before it."""
        values, error = self._read(position, piece)
        yield from values
        if error is not None:
            raise error

    def brought(self, position: int, piece: Part | Call) -> tuple[Sequence[Any], dict[int, Exception]]:
        """The values of a piece, and the exceptions of those of its items that failed, by index; None stands for their values."""
        if isinstance(piece, Part) or not (piece.failed or piece.aborted):
            try:
                return self._outcomes.good(piece), {}
            except SerializeError as error:
                items = [len(self.tasks.items_of(task)) for task in range(position, position + length(piece))]
                return self._outcomes.singly(piece, error, items)
        values, errors = self._outcomes.bad(piece, self._error_of(piece), len(self.tasks.items_of(position)))
        if errors:
            self.pass_over()
        return values, errors

    def _read(self, position: int, piece: Part | Call) -> tuple[Sequence[Any], Exception | None]:
        """The values up to the first item that failed, and its exception."""
        values, errors = self.brought(position, piece)
        if not errors:
            return values, None
        first = min(errors)
        return values[:first], errors[first]

    def _in_order(self) -> Iterator[tuple[int, Part | Call]]:
        position = 0
        while self._there_is(position):
            piece = self.tasks.pieces[position]
            yield position, piece
            position += length(piece)

    def _there_is(self, position: int, patience: float | None = None) -> bool:
        """Wait until a piece has come; False if there is none."""
        pieces = self.tasks.pieces
        self._wait_for_piece(lambda: position in pieces, patience)
        return position in pieces

    def _wait_for_piece(self, condition: Callable[[], bool], patience: float | None = None) -> None:
        self._port.wait(lambda: condition() or self._over, patience)
        if not condition() and self._over:
            self.check_whole()

    def check_whole(self) -> None:
        """Raise what cut it short, if anything did."""
        if self.shortage:
            self.pass_over()
            raise self._failure()

    def _as_it_came(self) -> Iterator[tuple[int, Part | Call]]:
        order = self.tasks.order
        for seen in count():
            self._wait_for_piece(lambda seen=seen: len(order) > seen)  # type: ignore[misc]  # mypy does not type such lambdas
            if len(order) == seen:
                return
            yield order[seen], self.tasks.pieces[order[seen]]

    def take_next(self, position: int | None, timeout: float | None) -> tuple[int, Part | Call] | None:
        """Wait for a piece, the one at a position or else the first that comes, and let go of it. None if none has come in time."""
        tasks = self.tasks
        found: Callable[[], bool] = (lambda: bool(tasks.order)) if position is None else (lambda: position in tasks.pieces)
        self._port.wait(lambda: found() or self._over, timeout)
        return tasks.take(position) if found() else None

    def _taken(self, patience: float) -> Iterator[Sequence[Any]]:
        position = 0
        while True:
            while not self._there_is(position, patience):
                if self._over:
                    return
                yield ()
            piece = self.tasks.pieces[position]
            values, error = self._read(position, piece)
            if error is None and not (isinstance(piece, Call) and piece.failed):
                piece.take()
            yield values
            if error is not None:
                raise error
            position += length(piece)
