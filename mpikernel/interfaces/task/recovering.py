"""What is left to a task that has failed for good: another function, called once in its place with its own arguments.

If that fails too, its error is the task's; the one before comes along.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from mpikernel.interfaces.task.entries import Failure, Task
from mpikernel.ledger.records import ERROR
from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Done


def begin_recovery(task: Task, failure: Failure) -> None:
    """The task is its recovery from now on. Where its own function was refused that may run, so who refused it is asked again."""
    submit = task.submit
    task.submit = replace(submit, function=submit.terms.recovery, terms=replace(submit.terms, recovery=b""))
    task.function, task.recovery, task.spoilt = task.recovery, (), failure
    task.refusals, task.targets = {}, task.allowed


def told(task: Task, failure: Failure) -> tuple[Done, Sequence[Frame]]:
    """How a task ended by a failure, as its client is told it: with what its recovery was to make good, if that has failed."""
    done, spoilt = failure.done, task.spoilt
    if spoilt is None or failure is spoilt or done.status != ERROR:
        return done, failure.frames
    line = f"{done.error} (in the recovery from {spoilt.done.error})"
    return replace(done, error=line, earlier=len(spoilt.frames)), [*failure.frames, *spoilt.frames]
