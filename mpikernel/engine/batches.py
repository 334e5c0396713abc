"""Runs batches of tasks: one after the other in a tight loop, their results sent together every few milliseconds.

Each is a task of its own all the same. What fails, prints, or brings large buffers is sent by itself; after each task it is seen
whether something else has to be done first. As in the runner, nothing here holds the loop's lock while user code runs.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from mpikernel.engine.outcome import Outcome
from mpikernel.engine.output import Output
from mpikernel.engine.state import BatchJob, EngineState, Result
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.messages import DoneBatch, ReleasedBatch, RunBatch
from mpikernel.wire.payload import Frames, dump

if TYPE_CHECKING:
    from mpikernel.engine.runner import Runner

#: Results wait so long for others at most (seconds).
EVERY = 3e-3
#: They are sent when they are so much together, and those that are larger than the second alone by themselves (bytes).
ENOUGH = 1 << 15
SMALL = 1 << 14


class BatchRunner:
    """The part of an engine's runner that sees to batches."""

    def __init__(self, runner: Runner, state: EngineState, loop: Loop, output: Output) -> None:
        self._runner = runner
        self._state = state
        self._loop = loop
        self._output = output
        self._size = 0  # bytes in results since they were last sent

    def run(self, job: BatchJob) -> None:
        """Run tasks of a batch until none is left, or something else has to be done first; the rest is then put back."""
        going = True
        try:
            while going:
                try:
                    number = job.pending.popleft()
                except IndexError:
                    break
                going = self._run_one(job, number) and self._may_go_on()
        finally:
            self._put_back(job)

    def _may_go_on(self) -> bool:
        """Whether nothing has to be done before the next task of a batch.

        Where script and engine are one, whoever waits is to see after each task whether it waits still.
        """
        loop, queue = self._loop, self._state.queue
        return self._output.always and loop.stop is None and loop.hold.interrupted is None and (not queue or isinstance(queue[0], BatchJob))

    def _put_back(self, job: BatchJob) -> None:
        """The batch rests: behind a direct call, before other batches."""
        state = self._state
        self._output.rest()
        with self._loop.hold:
            state.running = None
            if job.pending:
                direct = [other for other in state.queue if not isinstance(other, BatchJob)]
                state.queue.insert(state.queue.index(direct[-1]) + 1 if direct else 0, job)
            idle = not state.queue
            if idle:
                send_results(state, self._loop.out)
                self._size = 0
        if idle or not self._output.always:
            self._loop.turn()

    def _run_one(self, job: BatchJob, number: int) -> bool:
        """Run one task. False if the engine cannot go on at once."""
        output, state = self._output, self._state
        state.since = started = time.time()
        state.call = number
        outcome = self._runner.guarded(lambda: self._call(job, number), lambda: job.single(number))
        completed, frames = time.time(), outcome.frames
        if outcome.error or len(frames) > 1 or len(frames[0]) > SMALL or not output.always or output.printed():
            return self._report_alone(job, number, started, outcome)
        state.results.append(Result(job, number, frames[0], started, completed))
        self._size += len(frames[0])
        if self._size > ENOUGH or completed - state.sent >= EVERY:
            self._send()
        return True

    def _call(self, job: BatchJob, number: int) -> Frames:
        value = self._runner.call(job, job.label, (job.piece(number),))
        return dump(value, f"the result of {job.label}")

    def _send(self) -> None:
        with self._loop.hold:
            send_results(self._state, self._loop.out)
        self._size = 0
        self._loop.turn()

    def _report_alone(self, job: BatchJob, number: int, started: float, outcome: Outcome) -> bool:
        runner = self._runner
        with self._loop.hold:
            send_results(self._state, self._loop.out)
        self._size = 0
        reported = runner.conclude(job.single(number), started, outcome, batch=job)
        if reported and self._output.always and not runner.lent:
            self._output.begin()
            self._loop.turn()
            return True
        return False


def send_results(state: EngineState, out: Outbox) -> None:
    """Send what has come of tasks of batches; called under the loop's lock, while another thread may add to it."""
    count = len(state.results)
    rows = state.results[:count]
    del state.results[:count]
    state.sent = rows[-1].completed if rows else state.sent
    for group in _groups(rows):
        job, first = group[0].job, group[0].number
        command = job.command
        assert isinstance(command, RunBatch)
        _, _, pickles, started, completed = zip(*group, strict=True)
        ends = array("I", accumulate(map(len, pickles))).tobytes()
        times = array("d", started + completed).tobytes()
        out.send(command.client, DoneBatch(command.batch, first, state.id, ends, times), [b"".join(pickles)])
        out.send(job.sender, ReleasedBatch(command.batch, first, len(group), state.id, times))


def send_results_when_due(state: EngineState, out: Outbox, now: float) -> None:
    """Send what has waited long enough, while a task takes long."""
    if state.results and now - state.results[0].completed >= EVERY:
        send_results(state, out)


def _groups(rows: list[Result]) -> Iterator[list[Result]]:
    """Rows as those of one batch with consecutive numbers."""
    begin = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end].job is not rows[end - 1].job or rows[end].number != rows[end - 1].number + 1:
            yield rows[begin:end]
            begin = end
