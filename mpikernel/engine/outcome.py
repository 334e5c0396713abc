"""What came of a call: its result, or what the error that ended it means. It knows nothing of who is told."""

from __future__ import annotations

import time
from types import TracebackType

from msgspec import Struct

from mpikernel.engine.state import CANCELLED, TIMEOUT, EngineState, Job
from mpikernel.errors import TaskReject, TaskTimeoutError
from mpikernel.wire.failure import PACKAGE, describe, one_line
from mpikernel.wire.messages import Apply, Execute
from mpikernel.wire.payload import Frames


class Outcome(Struct, eq=False):
    """How a call ended, as in Done, and what it sends: its result, or the description of its error."""

    frames: Frames
    status: str = "ok"
    error: str = ""  # in one line
    rejected: bool = False  # this engine is not one for it


def failed(state: EngineState, job: Job, error: BaseException) -> Outcome:
    """What an error means that ended a call: one that was interrupted is cancelled, or late, whatever it made of that."""
    cut, trace = state.raised_here, error.__traceback__
    if cut is not None and cut.why == CANCELLED:
        return Outcome([], "aborted", f"interrupted after {time.time() - state.since:.1f} s")
    if cut is not None:
        error = _late(state, job) if cut.why == TIMEOUT else error
        error = error.with_traceback(_without_ours(trace))
    place = f"on engine {state.id} (rank {state.rank}, host {state.host}), in {name_of(job)}:"
    return Outcome(describe(error, place), "error", one_line(error), isinstance(error, TaskReject))


def _late(state: EngineState, job: Job) -> TaskTimeoutError:
    assert isinstance(job.command, Apply)
    return TaskTimeoutError(f"{name_of(job)} was interrupted on engine {state.id}: it took longer than {job.command.timeout:g} s")


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without what of ours is at its end: there the interrupt was raised. All of it where there is only ours."""
    rows = []
    row = trace
    while row is not None:
        rows.append(row)
        row = row.tb_next
    while rows and rows[-1].tb_frame.f_code.co_filename.startswith(PACKAGE):
        rows.pop()
    users: TracebackType | None = None
    for row in reversed(rows):
        users = TracebackType(users, row.tb_frame, row.tb_lasti, row.tb_lineno)
    return users or trace


def name_of(job: Job) -> str:
    """What a call is called in errors."""
    command = job.command
    if isinstance(command, Apply):
        return command.label
    if isinstance(command, Execute):
        return f"execute {command.filename}"
    return f"{type(command).__name__.lower()} {', '.join(getattr(command, 'names', ()))}".rstrip()
