"""What users name calls by: AsyncResults and ids, one or several; and what is still open of them. Asks no ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mpikernel.client.flags import is_integer
from mpikernel.client.port import Port
from mpikernel.client.result import AsyncResult
from mpikernel.client.state import Call, ClientState, OpenBatch
from mpikernel.errors import UsageError

Jobs = int | AsyncResult | Collection[int | AsyncResult]


def each_of(jobs: Any) -> Iterable[Any]:
    """The items of a list, set or array; anything else by itself. An iterator is such a thing: to look at its items would take them."""
    several = isinstance(jobs, Collection) and not isinstance(jobs, AsyncResult | Mapping | str | bytes) and not is_integer(jobs)
    return jobs if several else (jobs,)


class Chosen:
    """Results and single calls of this script that something is to be done with.

    Raises:
        UsageError: something is neither a result nor the id of a call that was made; nothing has been done.
    """

    def __init__(self, port: Port, jobs: Jobs) -> None:
        self.results: list[AsyncResult] = []
        self._state: ClientState = port.state
        self._port = port
        ids = dict[int, None]()
        for job in each_of(jobs):
            if isinstance(job, AsyncResult):
                self.results.append(job)
            else:
                ids[self._number(job)] = None
        self._ids = list(ids)

    def _number(self, job: Any) -> int:
        if not is_integer(job):
            raise UsageError(f"{job!r} is no call: give AsyncResults, or ids (integers, as in ar.msg_ids)")
        number: int = job.__index__()
        if not 0 <= number < self._state.next_call:
            raise UsageError(f"there is no call {number} in this run")
        return number

    def done(self) -> bool:
        """Whether everything has ended."""
        while self._ids and not self._is_open(self._ids[-1]):
            self._ids.pop()
        return not self._ids and all(result.done() for result in self.results)

    def holds(self, call: Call) -> bool:
        """Whether a call that has not ended is one of them."""
        return call.id in self._ids or call.collector in self.results

    def _is_open(self, number: int) -> bool:
        with self._port.loop.hold:
            return number in self._state.open or any(number in batch.open for batch in self._state.batches.values())

    def abort(self) -> None:
        """Drop what has not begun, and interrupt what runs."""
        under_way = [result.under_way() for result in self.results]
        calls = [call for found, _ in under_way for call in found]
        batches = [batch for _, found in under_way for batch in found]
        single_calls, singly = self._open()
        self._port.cancel([*calls, *single_calls], [*batches, *singly], interrupt=True)

    def _open(self) -> tuple[Sequence[Call], Sequence[OpenBatch]]:
        """Of those that are given by their ids, what has not ended, batches with no more than these tasks."""
        with self._port.loop.hold:
            calls = [self._state.open[number] for number in self._ids if number in self._state.open]
            wanted = set(self._ids)
            batches = [
                OpenBatch(wanted & batch.open, batch.label, batch.submitted, batch.collector) for batch in self._state.batches.values()
            ]
        return calls, batches
