"""What tasks depend on: `Dependency` as users say it, and `Needed`, which makes the `Needs` of it that the task interface is told.

The client tells of what has ended, as of the moment in which a task is sent; the task interface waits for the rest. Knows nothing of
what becomes of the tasks that depend.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mpikernel.client.flags import is_integer, yes_or_no
from mpikernel.client.jobs import each_of
from mpikernel.client.mapped import TaskMapResult
from mpikernel.client.port import Port
from mpikernel.client.queries import Queries
from mpikernel.client.result import AsyncResult
from mpikernel.client.state import Call, Part
from mpikernel.errors import UsageError
from mpikernel.ledger.records import ABORTED, ERROR, OK, SUBMITTED
from mpikernel.wire.terms import Needs

#: Tasks of which the ledger is asked with one question.
TOGETHER = 1000


class Dependency(set[Any]):
    """A set of tasks that others depend on: AsyncResults, and ids of tasks.

    Args:
        dependencies: an AsyncResult of a load-balanced view, the id of a task, or several of these.
        all: whether all of them must end in the right way; else one is enough.
        success: whether ending well is right.
        failure: whether failing, or being cancelled, is right.

    Raises:
        UsageError: something else is among them, such as the values of an `imap`, or no way to end is right.
    """

    def __init__(self, dependencies: Any = (), all: bool = True, success: bool = True, failure: bool = False) -> None:
        if not (success or failure):
            raise UsageError("a Dependency with success=False and failure=False cannot be met: say which of them is right")
        super().__init__(_named(dependencies))
        self.all = yes_or_no("all", all)
        self.success = yes_or_no("success", success)
        self.failure = yes_or_no("failure", failure)

    def __repr__(self) -> str:
        return f"Dependency({list(self)}, all={self.all}, success={self.success}, failure={self.failure})"


def _named(dependencies: Any) -> Iterator[AsyncResult | int]:
    for each in each_of(dependencies):
        if isinstance(each, AsyncResult):
            yield each
        elif is_integer(each) and each.__index__() >= 0:
            yield each.__index__()
        else:
            raise UsageError(f"{each!r} names no task: give an AsyncResult, the id of a task, a list of these, or a Dependency")


class Ending(NamedTuple):
    """How consecutive tasks ended. The status is SUBMITTED as long as they have not."""

    numbers: range
    status: str
    engine: int
    label: str
    error: str


class Needed:
    """A dependency, and what is known of it. Made before its flag is changed, since it refuses what nobody can wait for.

    Raises:
        UsageError: a call is not a task, or unknown.
    """

    def __init__(self, port: Port, dependency: Dependency) -> None:
        self.dependency = dependency
        self._port = port
        self._calls: list[Call] = []
        self._maps: list[tuple[TaskMapResult, list[Ending]]] = []  # and how those ended whose values had been taken
        self._of_maps: list[tuple[TaskMapResult, int]] = []  # single tasks of maps
        self._known: list[Ending] = []  # what was read in the ledger
        self._settled: list[Needs | None] = []  # what is told, once everything has ended
        self._take([each for each in dependency if isinstance(each, AsyncResult)])
        self._find([each for each in dependency if not isinstance(each, AsyncResult)])

    def _take(self, results: Sequence[AsyncResult]) -> None:
        for result in results:
            if isinstance(result, TaskMapResult):
                self._maps.append((result, self._taken(result)))
                continue
            self._calls += result.calls
        for call in self._calls:
            if not call.is_task:
                raise _no_task(call.id, call.label)

    def _taken(self, result: TaskMapResult) -> list[Ending]:
        if not result.is_taken:
            return []
        if result.source is not None and not result.source.over:
            raise UsageError(f"{result!r} goes on only as its values are taken: take them all first, or make it with map_async")
        with self._port.loop.hold:
            numbers = result.watch(result.msg_ids)
        return list(_merged(_recorded(Queries(self._port), numbers))) if numbers else []

    def _find(self, numbers: Sequence[int]) -> None:
        """Who is to be asked about tasks that are given by their ids: somebody who holds their results, or else the ledger."""
        with self._port.loop.hold:
            ended = [number for number in numbers if not self._is_held(number)]
        for call in self._calls:
            if not call.is_task:
                raise _no_task(call.id, call.label)
        if ended:
            self._known += _recorded(Queries(self._port), ended)

    def _is_held(self, number: int) -> bool:
        state = self._port.state
        call = state.open.get(number)
        result = state.tally.submitted_with(number)
        if call is None and isinstance(result, AsyncResult) and not isinstance(result, TaskMapResult):
            call = next((each for each in result.calls if each.id == number), None)
        if call is not None:
            self._calls.append(call)
        elif isinstance(result, TaskMapResult) and any(number in row for row in result.rows) and not result.watch([number]):
            self._of_maps.append((result, number))
        else:
            return False
        return True

    def wait_for_sources(self) -> None:
        """Wait until all tasks of its maps have been submitted: before that nobody knows which they are."""
        for result, _ in self._maps:
            self._port.wait(lambda result=result: result.source is None or result.source.over)  # type: ignore[misc]  # mypy does not type such lambdas

    def needs(self) -> Needs | None:
        """As things stand, under the loop's lock. None if there is nothing to wait for, and never was."""
        if self._settled:
            return self._settled[0]
        endings = list(self._endings())
        needs = self._told(endings) if endings else None
        if needs is None or not needs.open:
            self._settled.append(needs)
        return needs

    def _told(self, endings: Sequence[Ending]) -> Needs:
        wanted = self.dependency
        right = ((OK,) if wanted.success else ()) + ((ERROR, ABORTED) if wanted.failure else ())
        good = [ending for ending in endings if ending.status in right]
        bad = [ending for ending in endings if ending.status not in (*right, SUBMITTED)]
        unmet = _wording(min(bad, key=lambda ending: ending.numbers.start)) if bad else ""
        engines = tuple(sorted({ending.engine for ending in good if ending.engine >= 0}))
        left = joined(ending.numbers for ending in endings if ending.status == SUBMITTED)
        return Needs(left, wanted.all, wanted.success, wanted.failure, bool(good), unmet, engines)

    def _endings(self) -> Iterator[Ending]:
        yield from map(_of_piece, self._calls)
        for result, taken in self._maps:
            yield from _of_map(result, taken)
        for result, number in self._of_maps:
            yield from (each._replace(numbers=range(number, number + 1)) for each in _of_map(result, ()) if number in each.numbers)
        yield from self._known


def _no_task(number: int, label: str) -> UsageError:
    text = f"call {number} ({label}) is one of a direct view, and only tasks can be waited for by tasks"
    return UsageError(f"{text}: wait for it in the script, or make it on a load-balanced view")


def _recorded(queries: Queries, numbers: Sequence[int]) -> Iterator[Ending]:
    """How tasks ended that nobody here knows of any more."""
    for start in range(0, len(numbers), TOGETHER):
        yield from _recorded_together(queries, numbers[start : start + TOGETHER])


def _recorded_together(queries: Queries, numbers: Sequence[int]) -> Iterator[Ending]:
    keys = ("msg_id", "kind", "label", "status", "engine_id", "error")
    found = {row["msg_id"]: row for row in queries.find({"run": queries.run, "msg_id": {"$in": list(numbers)}}, keys, None, None)}
    for number in numbers:
        row = found.get(number)
        if row is None or row["status"] == SUBMITTED:
            raise UsageError(f"there is no task {number} in this run that could be waited for: it was never made, or its record purged")
        if row["kind"] != "task":
            raise _no_task(number, row["label"])
        engine = -1 if row["engine_id"] is None else row["engine_id"]
        yield Ending(range(number, number + 1), row["status"], engine, row["label"], row["error"] or "")


def _merged(endings: Iterable[Ending]) -> Iterator[Ending]:
    """The same with consecutive tasks that ended alike, and well, as one."""
    last: Ending | None = None
    for ending in endings:
        if last is not None and ending.status == OK and ending[1:] == last[1:] and ending.numbers.start == last.numbers.stop:
            last = last._replace(numbers=range(last.numbers.start, ending.numbers.stop))
            continue
        if last is not None:
            yield last
        last = ending
    if last is not None:
        yield last


def _of_map(result: TaskMapResult, taken: Sequence[Ending]) -> Iterator[Ending]:
    ended = [*map(_of_piece, result.pieces), *taken]
    yield from ended
    for numbers in gaps(result.rows, [ending.numbers for ending in ended]):
        yield Ending(numbers, SUBMITTED, -1, "", "")
    if result.shortage and result.rows:  # as if the task that it would have made had failed
        first, end = result.rows[0].start, result.rows[-1].stop
        yield Ending(range(end, end), ERROR, -1, f"the map of tasks {first} to {end - 1}", result.shortage)


def _of_piece(piece: Call | Part) -> Ending:
    if isinstance(piece, Part):
        return Ending(piece.numbers, OK, piece.done.engine, piece.batch.label, "")
    numbers, done = range(piece.id, piece.id + 1), piece.done
    if done is None:
        return Ending(numbers, SUBMITTED, -1, piece.label, "")
    return Ending(numbers, done.status, done.engine, piece.label, done.error)


def _wording(ending: Ending) -> str:
    """What became of a task that did not end as it should."""
    if not ending.numbers:
        return f"{ending.label} is not whole: {ending.error}"
    task = f"task {ending.numbers.start} ({ending.label})"
    if ending.status == OK:
        return f"{task} ended well"
    return f"{task} was cancelled" if ending.status == ABORTED else f"{task} failed: {ending.error}"


def gaps(rows: Iterable[range], taken: Iterable[range]) -> Iterator[range]:
    """What is left of ranges when others, which lie in them and do not overlap, are taken out."""
    pieces = sorted(taken, key=lambda piece: piece.start)
    starts = [piece.start for piece in pieces]
    for row in rows:
        start = row.start
        for piece in pieces[bisect_left(starts, row.start) : bisect_left(starts, row.stop)]:
            if start < piece.start:
                yield range(start, piece.start)
            start = piece.stop
        if start < row.stop:
            yield range(start, row.stop)


def joined(ranges: Iterable[range]) -> tuple[tuple[int, int], ...]:
    """Ranges as (first, count), in order; those that touch or overlap made one."""
    found: list[range] = []
    for each in sorted(ranges, key=lambda each: each.start):
        if found and each.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, each.stop))
        else:
            found.append(each)
    return tuple((each.start, len(each)) for each in found)
