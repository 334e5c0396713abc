"""What a client tells about calls besides their values: from the ledger, and from what it knows itself of those that have not ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nlargest, nsmallest
from itertools import islice
from typing import Any

from mpikernel.client.asking import RemoteLedger, tasks_at_engines
from mpikernel.client.flags import is_integer
from mpikernel.client.jobs import Jobs
from mpikernel.client.port import Port
from mpikernel.client.result import AsyncResult
from mpikernel.client.state import Call
from mpikernel.client.view import Targets, engine_ids
from mpikernel.errors import UsageError
from mpikernel.ledger.pages import FIRST, LAST
from mpikernel.ledger.query import FIELDS, Entry, Test, field, parse, span_of
from mpikernel.ledger.records import OK, SUBMITTED, Position
from mpikernel.ledger.wording import local_time, one_line
from mpikernel.wire.questions import Ranges

#: Records between two that are wanted which are read along: as fast as another question.
GAP = 500
#: Records that are removed with one message, and one commit.
BATCH = 1000
#: Ids that an error names.
NAMED = 10


class Queries:
    """Questions of one client."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.ledger = RemoteLedger(port)

    @property
    def run(self) -> int:
        return self.ledger.run

    # any record, of any run --------------------------------------------------------------------------------------------

    def find(self, query: Mapping[str, Any], keys: Iterable[str] | None, limit: int | None, order: str | None) -> list[dict[str, Any]]:
        test, rank, columns = parse(query), ranking(order, limit), _columns(keys)
        self.ledger.settle()
        entries = self.ledger.entries(*span_of(query))
        return [{name: find(entry) for name, find in columns.items()} for entry in rank(filter(test, entries))]

    # the calls of this run ---------------------------------------------------------------------------------------------

    def history(self) -> list[int]:
        recorded = {entry.record.task for entry in self.ledger.entries((self.run, FIRST[1]), (self.run, LAST[1]))}
        return sorted(recorded.union(call.id for call in self._open()))

    def statuses(self, jobs: Jobs | None) -> dict[str, list[int]]:
        ids = self.history() if jobs is None else call_ids(jobs)
        pending = {call.id for call in self._open()}
        self.ledger.settle()
        found = {entry.record.task: entry.record.status for entry in self.recorded(self.run, set(ids) - pending)}
        self.refuse_unknown(self.run, [number for number in ids if number not in found and number not in pending])
        completed = [number for number in ids if number not in pending]
        failed = [number for number in completed if found[number] not in (OK, SUBMITTED)]
        return {"pending": [number for number in ids if number in pending], "completed": completed, "failed": failed}

    def result(self, job: Jobs) -> AsyncResult:
        if isinstance(job, AsyncResult):
            return job
        ids = call_ids(job)
        if not ids:
            raise UsageError(f"{job!r} names no call: give the id of one, or the ids of one AsyncResult")
        result = self._holder(ids[0])
        others = sorted(set(ids[1:]).difference(result.msg_ids)) if len(ids) > 1 else ()
        if others:
            raise UsageError(f"{named(others)}: not of the same AsyncResult as call {ids[0]}; ask for that of one call at a time")
        return result

    def _holder(self, number: int) -> AsyncResult:
        """The AsyncResult of a call."""
        with self._port.loop.hold:
            held = self._port.state.tally.submitted_with(number)
        if isinstance(held, AsyncResult) and number in held.msg_ids:
            return held
        self.ledger.settle()
        for entry in self.recorded(self.run, {number}):
            raise UsageError(f"{_told(entry)}; its AsyncResult was let go of, and values are not kept: hold it, or make the call again")
        raise self._unknown(self.run, [number])

    def queue(self, targets: Targets, verbose: bool) -> dict[Any, Any]:
        engines = engine_ids(targets, len(self._port.state.engines))
        standing = tasks_at_engines(self._port)
        calls = self._open()
        tasks = {call.id for call in calls if call.is_task}  # what has come here meanwhile has ended
        status: dict[Any, Any] = {
            engine: {
                "queue": [call.id for call in calls if call.engine == engine and not call.is_task],
                "completed": [],
                "tasks": _within(standing.held[engine], tasks),
            }
            for engine in engines
        }
        status["unassigned"] = _within(standing.waiting, tasks)
        if verbose:
            self._add_completed(status, engines)
        else:
            status = {name: _counted(told) for name, told in status.items()}
            for engine in engines:
                status[engine]["completed"] = self._port.state.tally.completed[engine]
        return status[engines[0]] if is_integer(targets) else status

    def _add_completed(self, status: dict[Any, Any], engines: Sequence[int]) -> None:
        self.ledger.settle()
        for entry in self.ledger.entries((self.run, FIRST[1]), (self.run, LAST[1])):
            if entry.record.engine in engines and ended(entry):
                status[entry.record.engine]["completed"].append(entry.record.task)

    # forgetting --------------------------------------------------------------------------------------------------------

    def purge(self, jobs: Jobs | str | None, targets: Targets, run: int | None) -> int:
        if jobs is None and targets is None:
            raise UsageError("say what is to be purged: ids of calls, AsyncResults, 'all', or the targets whose calls it is")
        self.ledger.settle()
        removed = 0
        if isinstance(jobs, str):
            if jobs != "all":
                raise UsageError(f"{jobs!r} is no call: give ids, AsyncResults, or 'all'")
            removed += self._remove(_span_of_run(run), ended)
        elif jobs is not None:
            removed += self._purge_calls(set(call_ids(jobs)), self.run if run is None else run)
        if targets is not None:
            engines = engine_ids(targets, len(self._port.state.engines))
            removed += self._remove(_span_of_run(run), lambda entry: entry.record.engine in engines and ended(entry))
        return removed

    def _purge_calls(self, ids: set[int], run: int) -> int:
        found = {entry.record.task: ended(entry) for entry in self.recorded(run, ids)}
        pending = sorted({number for number, over in found.items() if not over} | (ids & self.open_ids(run)))
        if pending:
            raise UsageError(f"{these_have(pending)} not ended and cannot be purged; nothing was")
        self.refuse_unknown(run, sorted(ids - found.keys()))
        return sum(self._remove(span, lambda entry: entry.record.task in ids and ended(entry)) for span in _spans(run, ids))

    def _remove(self, span: tuple[Position, Position], test: Test) -> int:
        removed, run, batch = 0, 0, list[int]()
        for entry in filter(test, self.ledger.entries(*span)):
            if batch and (entry.run != run or len(batch) == BATCH):
                removed += self.ledger.remove(run, batch)
                batch.clear()
            run = entry.run
            batch.append(entry.record.task)
        return removed + (self.ledger.remove(run, batch) if batch else 0)

    # records of some calls, for whoever needs them ------------------------------------------------------------------------

    def _open(self) -> list[Call]:
        with self._port.loop.hold:
            return self._port.state.open_calls

    def open_ids(self, run: int) -> set[int]:
        """Of a run the calls that this script knows not to have ended."""
        return {call.id for call in self._open()} if run == self.run else set()

    def recorded(self, run: int, ids: set[int]) -> Iterator[Entry]:
        """The records of calls, as far as there are any."""
        for span in _spans(run, ids):
            yield from (entry for entry in self.ledger.entries(*span) if entry.record.task in ids)

    def refuse_unknown(self, run: int, ids: Sequence[int]) -> None:
        """Raise a UsageError if there are any of which nothing is recorded."""
        if ids:
            raise self._unknown(run, ids)

    def _unknown(self, run: int, ids: Sequence[int]) -> UsageError:
        which = "this run" if run == self.run else f"run {run}"
        what = f"call {ids[0]}" if len(ids) == 1 else f"calls {named(ids)}"
        return UsageError(f"the ledger has no {what} of {which}: never made, or purged")


def ended(entry: Entry) -> bool:
    """Whether a call has ended, if only by the end of its run."""
    return not entry.live or entry.record.status != SUBMITTED


def call_ids(jobs: Any) -> list[int]:
    """The ids of calls that are given as ids or as AsyncResults, one or several.

    Raises:
        UsageError: something else is among them.
    """
    if isinstance(jobs, AsyncResult):
        return jobs.msg_ids
    if is_integer(jobs):
        number: int = jobs.__index__()
        if not 0 <= number <= LAST[1]:
            raise UsageError(f"{number} is no call: ids are not negative")
        return [number]
    if isinstance(jobs, Sequence | set | frozenset) and not isinstance(jobs, str | bytes):
        return list(dict.fromkeys(number for job in jobs for number in call_ids(job)))
    raise UsageError(f"{jobs!r} is no call: give ids (integers, as in ar.msg_ids) or AsyncResults")


def ranking(order: str | None, limit: int | None) -> Callable[[Iterable[Entry]], Iterable[Entry]]:
    """What chooses the first `limit` entries by a field, "-field" from the greatest on; what is not known comes last.

    Holds no more than `limit` entries at a time, and without an order none. Raises UsageError.
    """
    if limit is not None and (not is_integer(limit) or limit < 0):
        raise UsageError(f"limit is a number of records or None, not {limit!r}")
    if order is None:
        return lambda entries: islice(entries, limit)
    if not isinstance(order, str):
        raise UsageError(f"order is the name of a field, '-' in front of it for the greatest first; not {order!r}")
    find, down = field(order.removeprefix("-")), order.startswith("-")

    def key(entry: Entry) -> tuple[bool, Any]:
        value = find(entry)
        return (value is None) is not down, value

    if limit is None:
        return lambda entries: sorted(entries, key=key, reverse=down)
    return lambda entries: (nlargest if down else nsmallest)(limit, entries, key)


def _columns(keys: Iterable[str] | None) -> dict[str, Callable[[Entry], Any]]:
    if isinstance(keys, str):
        raise UsageError(f"keys is a list of fields, such as [{keys!r}]")
    return {name: field(name) for name in (FIELDS if keys is None else keys)}


def _span_of_run(run: int | None) -> tuple[Position, Position]:
    return (FIRST, LAST) if run is None else span_of({"run": run})


def _spans(run: int, ids: Iterable[int]) -> Iterator[tuple[Position, Position]]:
    """Where the records of calls are, in as few pieces as are worth it."""
    piece: list[int] = []
    for number in sorted(ids):
        if piece and number - piece[-1] > GAP:
            yield (run, piece[0]), (run, piece[-1])
            piece.clear()
        piece = [*piece[:1], number]
    if piece:
        yield (run, piece[0]), (run, piece[-1])


def _within(ranges: Ranges, tasks: set[int]) -> list[int]:
    return [number for first, count in ranges for number in range(first, first + count) if number in tasks]


def _counted(told: Any) -> Any:
    return len(told) if isinstance(told, list) else {name: len(ids) for name, ids in told.items()}


def named(ids: Sequence[int]) -> str:
    """Ids as an error names them."""
    return ", ".join(map(str, ids[:NAMED])) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")


def these_have(ids: Sequence[int]) -> str:
    """The same, as the beginning of a sentence."""
    return f"call {ids[0]} has" if len(ids) == 1 else f"calls {named(ids)} have"


def _told(entry: Entry) -> str:
    record = entry.record
    where = f" on engine {record.engine}" if record.engine >= 0 else ""
    error = f", {one_line(record.error)}" if record.error else ""
    return f"call {record.task} ({one_line(record.label)}) ended{where} at {local_time(record.completed)}: {record.status}{error}"
