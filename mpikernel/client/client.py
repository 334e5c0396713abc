"""Client: how a script sees the engines of its world."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from mpikernel.client.balanced import LoadBalancedView
from mpikernel.client.direct import DirectView
from mpikernel.client.executor import EngineExecutor
from mpikernel.client.here import find_port
from mpikernel.client.intake import Initializer
from mpikernel.client.jobs import Chosen, Jobs
from mpikernel.client.limits import seconds
from mpikernel.client.port import Port
from mpikernel.client.queries import Queries
from mpikernel.client.resubmitting import Again, Resubmissions
from mpikernel.client.result import AsyncResult
from mpikernel.client.traffic import HeldBy
from mpikernel.client.view import Targets
from mpikernel.errors import ClosedError


class Client:
    """The engines of the world that this script runs in.

    Raises:
        NoWorldError: the script was not started as one of a world; tells how to.
    """

    def __init__(self) -> None:
        self._port = find_port(sys.argv[0] or "script.py")
        self._port.check_open()
        self._closed = False

    @property
    def port(self) -> Port:
        """The way into the world.

        Raises:
            ClosedError: the client has been closed.
        """
        if self._closed:
            raise ClosedError("this client is closed; make another with Client()")
        return self._port

    @property
    def ids(self) -> list[int]:
        """The engines' ids, without those of engines that have died."""
        state = self._port.state
        return [engine for engine in range(len(state.engines)) if engine not in state.lost]

    def __len__(self) -> int:
        return len(self._port.state.engines) - len(self._port.state.lost)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[DirectView]:
        """A direct view of each engine."""
        return (self.direct_view(engine) for engine in self.ids)

    def __getitem__(self, targets: int | slice | Sequence[int]) -> DirectView:
        """A direct view: client[0] gives bare values, client[:], client[1:3] and client[[0, 2]] give lists."""
        return self.direct_view(targets)

    def direct_view(self, targets: Targets = "all", block: bool = False) -> DirectView:
        """A view in which each engine is addressed by itself.

        Raises:
            NoEnginesError: an id that is not there, or no engine at all.
        """
        return DirectView(self, targets, block)

    def load_balanced_view(self, targets: Targets = None, block: bool = False) -> LoadBalancedView:
        """A view in which each call goes to an engine that is free, of `targets` only if they are given."""
        return LoadBalancedView(self, targets, block)

    def executor(self, targets: Targets = None, initializer: Initializer = None, initargs: Iterable[Any] = ()) -> EngineExecutor:
        """The engines, or `targets` only, as an executor of `concurrent.futures`.

        Args:
            targets: which engines; all if None.
            initializer: called as initializer(*initargs) once on each engine, now. What is submitted waits for it; if it fails
                on any engine, that raises BrokenExecutor.
            initargs: its arguments.
        """
        return EngineExecutor(self.load_balanced_view(targets), initializer, initargs)

    def wait(self, jobs: Jobs | None = None, timeout: float | None = None) -> bool:
        """Wait for results, or for everything that was submitted; whether it is done, after at most `timeout` seconds.

        Args:
            jobs: AsyncResults, and ids of calls; everything if None.
            timeout: None or negative: no limit.

        Raises:
            UsageError: something else is given, or an id that no call of this run has.
        """
        if jobs is None:
            return self._wait(lambda: self._port.state.idle, timeout, lambda _: True)
        chosen = Chosen(self.port, jobs)
        return self._wait(chosen.done, timeout, chosen.holds)

    def _wait(self, condition: Callable[[], bool], timeout: float | None, held_by: HeldBy) -> bool:
        limit = seconds(timeout)
        return self.port.wait(condition, limit, held_by=held_by if limit is None else None)

    def abort(self, jobs: Jobs | None = None) -> None:
        """Cancel what has not begun of these results and calls, or of everything that was submitted, and interrupt what runs.

        Of maps that are still being submitted nothing more is. See `AsyncResult.abort` for how what runs is interrupted.

        Args:
            jobs: AsyncResults, and ids of calls, of whose results only these calls are meant; everything if None.

        Raises:
            UsageError: something else is given, or an id that no call of this run has; nothing was cancelled.
        """
        Chosen(self.port, _open_results(self.port) if jobs is None else jobs).abort()

    def interrupt(self, targets: Targets = "all") -> None:
        """Interrupt whatever runs on engines, as Ctrl-C interrupts a program: a KeyboardInterrupt, once. What waits there begins then.

        A call that it ends fails with that; for tasks it counts as a failure like any other. It does not wait for that.

        Raises:
            NoEnginesError: an id that is not there, or no engine at all.
        """
        self.direct_view(targets).interrupt()

    def clear(self, targets: Targets = None, block: bool = True) -> AsyncResult | None:
        """Empty the namespaces of engines, all if None; the AsyncResult if `block` is false."""
        result: AsyncResult = self.direct_view(targets).clear(block=False)
        if not block:
            return result
        result.get()
        return None

    # what the ledger tells ---------------------------------------------------------------------------------------------

    @property
    def run_number(self) -> int:
        """Which run of its cluster directory this is, counted from 1."""
        return Queries(self.port).run

    @property
    def history(self) -> list[int]:
        """The ids of all calls of this run, in the order in which they were made; those that were purged are not among them."""
        return Queries(self.port).history()

    def db_query(
        self, query: Mapping[str, Any], keys: Iterable[str] | None = None, limit: int | None = None, order: str | None = None
    ) -> list[dict[str, Any]]:
        """The records of all calls, of this and of earlier runs in the same cluster directory, that match a query; see :doc:`history`.

        Args:
            query: a dict such as ``{"status": "error", "run": client.run_number}``; ``{}`` matches everything.
            keys: the fields that are wanted; all if None.
            limit: no more records than that.
            order: a field, ``"-field"`` for the greatest first; what is None comes last. Otherwise by run, and in it by id.

        Returns:
            a dict for each record: `msg_id`, `run`, `kind`, `label`, `status`, `engine_id`, `rank`, `host`, `submitted`, `started`,
            `completed` (datetimes in UTC), `error`, `attempt`. None stands for what is not known or has not happened.

        Raises:
            UsageError: the query is wrong; says where, and what is known.
            LedgerError: the ledger cannot be read.
        """
        return Queries(self.port).find(query, keys, limit, order)

    def result_status(self, jobs: Jobs | None = None) -> dict[str, list[int]]:
        """How calls of this run stand: ``{"pending": ids, "completed": ids, "failed": ids}``.

        What failed or was cancelled has completed too.

        Args:
            jobs: ids, or AsyncResults; every call of this run if None.

        Raises:
            UsageError: there is no such call in this run, or its record was purged.
        """
        return Queries(self.port).statuses(jobs)

    def get_result(self, job: Jobs) -> AsyncResult:
        """The AsyncResult that a call of this run belongs to, as long as the call has not ended or anybody still holds it.

        Args:
            job: the id of the call, or several that are of one AsyncResult, such as its `msg_ids`.

        Raises:
            UsageError: several are not of one; or it is gone, since values are not kept in the ledger; tells how the call ended. Or there
                is no such call.
        """
        return Queries(self.port).result(job)

    def resubmit(self, jobs: Again, *, run: int | None = None) -> AsyncResult:
        """Make tasks again that have ended, of this or of earlier runs in the same cluster directory: as new tasks, with new ids.

        They call what they called then, with what they were called with: functions and arguments are as they were, whatever the script has
        made of them. So are priority, retries, recovery, limits and targets; what they had to wait for is not waited for again.
        The task of a chunk of a map calls all of its items.

        Args:
            jobs: ids of tasks, AsyncResults, or rows of `db_query`, which name their runs. Each is made once.
            run: the number of the run that ids are of; this one if None.

        Returns:
            the AsyncResult of the new tasks, in the order of `jobs`: a list of values, or the bare value for a single id, row or call. A
            chunk gives the list of its items' values.

        Raises:
            UsageError: one of them is unknown, was purged, is a direct call, has not ended, or is for engines that this world has not;
                or the ledger does not have what it calls, because that was too large (setting `keep_calls`). Nothing was submitted.
            LedgerError: the ledger cannot be read.
        """
        return Resubmissions(self.port).resubmit(jobs, run)

    def queue_status(self, targets: Targets = None, verbose: bool = False) -> dict[Any, Any]:
        """How many calls of this script engines have: ``{engine: {"queue": n, "completed": n, "tasks": n}, "unassigned": n}``.

        `queue` are direct calls that have not ended there, and `completed` are calls that have. `tasks` are those that an engine has been
        given, of which it runs one at most; `unassigned` are those that no engine has: they wait for one, or for other tasks. The task
        interface is asked, so that this is true at the moment of its answer.

        Args:
            targets: all engines if None; for a single id only what is said of that engine.
            verbose: lists of ids in place of numbers; those of `completed` come from the ledger.
        """
        return Queries(self.port).queue(targets, verbose)

    def purge_results(self, jobs: Jobs | str | None = None, targets: Targets = None, run: int | None = None) -> int:
        """Remove records of calls that have ended from the ledger, and return how many. Calls that have not ended stay.

        Args:
            jobs: ids, AsyncResults, or ``"all"``.
            targets: engines, all of whose calls are meant, besides `jobs`.
            run: the number of the run that they are of. If None, ids are those of this run, and the rest is of every run.

        Raises:
            UsageError: one of the calls has not ended, or there is none of that id; nothing was removed.
            LedgerError: the ledger cannot be written.
        """
        return Queries(self.port).purge(jobs, targets, run)

    def close(self) -> None:
        """Make no calls through this client any more. The world goes on; results that are still to come do come."""
        self._closed = True

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client cannot be sent to engines: calls are made in the script")

    def __repr__(self) -> str:
        return f"<Client: {len(self)} engine{'s' if len(self) != 1 else ''}{', closed' if self._closed else ''}>"


def _open_results(port: Port) -> list[AsyncResult]:
    """The results of everything that has not ended."""
    state = port.state
    with port.loop.hold:
        collectors = {call.collector for call in state.open.values()} | {batch.collector for batch in state.batches.values()}
    return [collector for collector in collectors if isinstance(collector, AsyncResult)]
