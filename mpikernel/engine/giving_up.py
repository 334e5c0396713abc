"""Tasks that do not hear that they are interrupted, because their engine sits in MPI or in other C code: they end all the same.

The task interface is told how the task ended, and that the engine is seized: until it comes back it gets no tasks, and direct calls
that wait behind it fail, if it sits in MPI. What it brings of that task then is dropped. A direct call is given up by its client, which
sees for whom it waits: see `client/stuck.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mpikernel.engine.outcome import name_of
from mpikernel.engine.reactor import drop
from mpikernel.engine.state import TIMEOUT, BatchJob, Cut, EngineState, Job
from mpikernel.errors import EngineStuckError, TaskTimeoutError
from mpikernel.wire.failure import describe_from, one_line
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Apply, Done, Failed, Seized

if TYPE_CHECKING:
    from mpikernel.engine.runner import Runner
    from mpikernel.engine.sitting import Ids


class Stay(NamedTuple):
    """Where an engine is that does not hear."""

    text: str  # as in "engine 1 ..."
    trace: str = ""  # as a traceback shows it
    in_mpi: bool = False  # otherwise it works, as far as can be told


class GivingUp:
    """Gives up the task of one engine; called under the loop's lock, not in the thread that runs it. `ids` as of a Watcher."""

    def __init__(self, runner: Runner, out: Outbox, ids: Ids) -> None:
        self._runner = runner
        self._out = out
        self._ids = ids
        self._stay = Stay("")  # of the task that was given up last
        self._waiting: set[int] = set()  # direct calls that waited behind it when that was last looked at

    def unheard(self, cut: Cut, now: float) -> None:
        """An interrupt has not been heard for a while; told again and again while it is not."""
        state = self._runner.state
        job = state.running.single(cut.call) if isinstance(state.running, BatchJob) else state.running
        if job is None or not job.is_task:
            return
        if state.seized == cut.call:
            if self._stay.in_mpi:
                self._refuse(now)
            return
        self._stay, self._waiting = self._look(), set()
        state.seized = cut.call
        state.unwanted.add(cut.call)  # when it comes back after all, it ends there
        self._out.send(job.sender, Seized(state.id, True))  # first: it may be tried again elsewhere
        _report(state, self._out, job, cut, self._stay, now)

    def _refuse(self, now: float) -> None:
        """End the direct calls that have waited behind it for a moment."""
        state = self._runner.state
        waiting = {job.command.call: job for job in state.queue if not (job.is_task or isinstance(job, BatchJob))}
        late = tuple(self._waiting.intersection(waiting))
        self._waiting = set(waiting).difference(late)
        for call in drop(state, late, interrupt=False)[0]:
            job = waiting[call]
            error = EngineStuckError(f"it could not begin: its engine {self._stay.text}, in an earlier task")
            frames = describe_from(error, _heading(state, job), self._stay.trace)
            self._out.send(job.client, Done(call, state.id, "error", 0.0, now, "", "", one_line(error)), frames)

    def _look(self) -> Stay:
        from mpikernel.engine.sitting import frame_of, place_of, trace_of, waits_of  # here: engines start without ast and traceback

        frame = frame_of(self._runner.thread or 0)
        if frame is None:
            return Stay("does not hear it")
        try:
            found = waits_of(frame, self._runner.state.id, self._ids)
        except Exception:  # whatever the user's objects do when they are looked at
            found = None
        place, trace = place_of(frame), trace_of(frame)
        if found is None:
            return Stay(f"does not hear it in C code ({place})", trace)
        return Stay(f"sits in {found[0]} ({place}), which no interrupt ends", trace, in_mpi=True)


def _report(state: EngineState, out: Outbox, job: Job, cut: Cut, stay: Stay, now: float) -> None:
    """Tell the task interface how a task ends that is given up. What it has printed is in the engine's log."""
    command = job.command
    assert isinstance(command, Apply)
    status, text, frames = "aborted", f"interrupted, but engine {state.id} (rank {state.rank} on {state.host}) {stay.text}", []
    if cut.why == TIMEOUT:
        error = TaskTimeoutError(
            f"{command.label} took longer than {command.timeout:g} s and was interrupted, but engine {state.id} {stay.text}"
        )
        status, text, frames = "error", one_line(error), describe_from(error, _heading(state, job), stay.trace)
    done = Done(cut.call, state.id, status, state.since, now, "", "", text)
    out.send(job.sender, Failed(command.attempt, done, False), frames)


def _heading(state: EngineState, job: Job) -> str:
    return f"on engine {state.id} (rank {state.rank}, host {state.host}), in {name_of(job)}:"


def came_back(state: EngineState, out: Outbox, job: Job, call: int) -> bool:
    """A call has ended here. Whether it had been given up: then nothing more is told of it than that the engine is free."""
    if call != state.seized:
        return False
    state.seized = -1
    out.send(job.sender, Seized(state.id, False))
    return True
