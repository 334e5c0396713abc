"""Tasks that are called again, as the ledger keeps what they call: tasks of this run, or of earlier ones in the same directory.

What they call is never opened here: it goes to engines as it went the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from mpikernel.client.flags import is_integer
from mpikernel.client.jobs import Jobs
from mpikernel.client.metadata import Metadata
from mpikernel.client.outcomes import Outcomes
from mpikernel.client.pickled import Pickled
from mpikernel.client.port import Port
from mpikernel.client.queries import Queries, call_ids, ended, named, these_have
from mpikernel.client.result import AsyncResult
from mpikernel.client.state import Call
from mpikernel.client.terms import TermsThen, WithRecovery
from mpikernel.errors import CompositeError, ItemsFailed, LedgerError, UsageError
from mpikernel.ledger.calls import KeptCall
from mpikernel.ledger.records import Position
from mpikernel.wire.payload import Frames
from mpikernel.wire.terms import Terms

#: What is wanted again: as in `get_result` and others, or rows of `db_query`.
Again = Jobs | Mapping[str, Any] | Sequence[Mapping[str, Any]]

KEEP = "(settings keep_calls and keep_calls_total)"


class Known(NamedTuple):
    """What a task calls, as far as it is shared with others."""

    run: int
    function: bytes
    label: str
    terms: bytes
    stream: bool


class Resubmitted(AsyncResult):
    """The result of tasks that are called again. One that has several items, of which some fail, raises what these raised."""

    def _error_of(self, call: Call) -> Exception:
        error = super()._error_of(call)
        if not isinstance(error, ItemsFailed):
            return error
        outcomes = Outcomes(True, False, lambda engine: f"on engine {engine}, in {call.label}")
        failures = [failure for _, failure in outcomes.failures(call, error, range(len(error.values)))]
        what = f"{call.label} failed in {len(failures)} of {len(error.values)} items"
        return CompositeError(what, failures, [call.engine] * len(failures))


class Resubmissions:
    """What one client calls again."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._queries = Queries(port)
        self._ledger = self._queries.ledger
        self._shared: dict[tuple[int, bytes], list[bytes]] = {}  # frames, by run and name

    def resubmit(self, jobs: Again, run: int | None) -> AsyncResult:
        positions = _positions(jobs, self._ledger.run if run is None else run)
        self._ledger.settle()
        for number, tasks in _by_run(positions).items():
            self._check(number, tasks)
        called = {position: row for number, tasks in _by_run(positions).items() for position, row in self._called(number, tasks)}
        agreed = {known: self._agreed(known, task) for (_, task), (known, _) in called.items()}
        return self._submit([called[position] for position in positions], agreed, _is_one(jobs))

    def _check(self, run: int, tasks: set[int]) -> None:
        """They are tasks, and have ended."""
        found = {entry.record.task: entry for entry in self._queries.recorded(run, tasks)}
        self._queries.refuse_unknown(run, sorted(tasks - found.keys() - self._queries.open_ids(run)))
        direct = sorted(number for number, entry in found.items() if entry.record.kind != "task")
        if direct:
            which = f"call {direct[0]} is a direct call" if len(direct) == 1 else f"calls {named(direct)} are direct calls"
            raise UsageError(f"{which}, which cannot be resubmitted: a view makes them again; nothing was resubmitted")
        open_ones = sorted(number for number in tasks if number not in found or not ended(found[number]))
        if open_ones:
            raise UsageError(f"{these_have(open_ones)} not ended and cannot be resubmitted; nothing was")

    def _called(self, run: int, tasks: set[int]) -> Iterable[tuple[Position, tuple[Known, Frames]]]:
        """What each of them is called with."""
        left = set(tasks)
        for call, frames in self._ledger.calls(run, tasks):
            numbers = sorted(left.intersection(range(call.first, call.last + 1)))
            known = Known(run, call.function, call.label, call.terms, call.stream)
            for number in numbers:
                if not call.parts:
                    raise _too_large(run, number, "what it is called with", call.size)
                yield (run, number), (known, self._arguments(run, call, frames, number))
            left.difference_update(numbers)
        if left:
            raise UsageError(
                f"{_task(run, min(left))} cannot be resubmitted: the ledger does not have what it calls, because keep_calls was 0, or "
                "it was written by an mpikernel that did not keep that; make the call again"
            )

    def _arguments(self, run: int, call: KeptCall, frames: list[bytes], number: int) -> Frames:
        """What a task is called with."""
        if call.ends:
            ends, index = memoryview(call.ends).cast("I"), number - call.first
            return [frames[0][ends[index - 1] if index else 0 : ends[index]]]
        arguments: Frames = [*frames]
        for place, name in call.named:
            (arguments[place],) = self._frames(run, name, number, "an argument of it")
        return arguments

    def _agreed(self, known: Known, task: int) -> tuple[Pickled, TermsThen]:
        """The function that tasks call, and their terms."""
        try:
            terms = msgspec.msgpack.decode(known.terms, type=Terms)
        except msgspec.MsgspecError as error:
            raise LedgerError(f"the ledger has terms of {_task(known.run, task)} that cannot be read: {error}") from error
        count, dead = len(self._port.state.engines), self._port.state.lost
        missing = [engine for engine in terms.targets if engine >= count]
        if missing or (terms.targets and dead.keys() >= set(terms.targets)):
            here = f"this world has {count} (the first is 0)" if missing else "that has died"
            raise UsageError(f"{_task(known.run, task)} is for engine {[*missing, *terms.targets][0]}, and {here}; nothing was resubmitted")
        function = self._function(known.run, known.function, task, "the function that it calls")
        if not terms.recovery:
            return function, terms
        return function, WithRecovery(terms, self._function(known.run, terms.recovery, task, "its recovery"))

    def _function(self, run: int, digest: bytes, task: int, what: str) -> Pickled:
        return Pickled([*self._frames(run, digest, task, what)], digest)

    def _frames(self, run: int, name: bytes, task: int, what: str) -> list[bytes]:
        """What calls share."""
        if (run, name) not in self._shared:
            found = self._ledger.shared(run, name)
            if found is None:
                raise UsageError(f"{_task(run, task)} cannot be resubmitted: the ledger does not have {what}; make the call again")
            if not found[0].parts:
                raise _too_large(run, task, what, found[0].size)
            self._shared[run, name] = found[1]
        return self._shared[run, name]

    def _submit(self, rows: Sequence[tuple[Known, Frames]], agreed: Mapping[Known, tuple[Pickled, TermsThen]], single: bool) -> AsyncResult:
        labels = {known.label for known, _ in rows}
        result = Resubmitted(self._port, labels.pop() if len(labels) == 1 else "resubmitted tasks", single)
        for known, group in groupby(rows, key=lambda row: row[0]):
            function, terms = agreed[known]
            self._port.submit(result, known.label, function, [frames for _, frames in group], terms, known.stream)
        return result.launched()


def _positions(jobs: Again, run: int) -> list[Position]:
    """Where the records of what is wanted are, each once, in order; those of a run unless a row names its own."""
    if isinstance(jobs, Mapping):
        if not {"run", "msg_id"} <= jobs.keys():
            raise UsageError("a row of db_query names a task by 'run' and 'msg_id': this one has " + (", ".join(jobs) or "nothing"))
        return [(jobs["run"], jobs["msg_id"])]
    if isinstance(jobs, Sequence) and not isinstance(jobs, str | bytes):
        return list(dict.fromkeys(position for job in jobs for position in _positions(job, run)))
    return [(run, number) for number in call_ids(jobs)]


def _is_one(jobs: Again) -> bool:
    """Whether what is wanted has a bare value."""
    if isinstance(jobs, AsyncResult):
        return len(jobs.msg_ids) == 1 and isinstance(jobs.metadata, Metadata)
    return isinstance(jobs, Mapping) or is_integer(jobs)


def _by_run(positions: Sequence[Position]) -> dict[int, set[int]]:
    return {run: {task for each, task in positions if each == run} for run in sorted({run for run, _ in positions})}


def _task(run: int, number: int) -> str:
    return f"task {number} of run {run}"


def _too_large(run: int, number: int, what: str, size: int) -> UsageError:
    much = f"{what} has {size / 2**20:.1f} MiB, more than the ledger was to keep {KEEP}"
    return UsageError(f"{_task(run, number)} cannot be resubmitted: {much}; make the call again")
