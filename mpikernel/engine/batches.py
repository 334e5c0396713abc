"""Runs batches of tasks: one after the other in a tight loop, their results sent together every few milliseconds.

Each is a task of its own all the same. What fails, prints, or brings large buffers is sent by itself; after each task it is seen
whether something else has to be done first. As in the runner, nothing here holds the loop's lock while user code runs.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mpikernel.engine.giving_up import came_back
from mpikernel.engine.outcome import Outcome
from mpikernel.engine.output import Output
from mpikernel.engine.state import COMPLETED, JOB, NUMBER, PICKLE, STARTED, BatchJob, EngineState, Result
from mpikernel.wire.functions import establish
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.messages import DoneBatch, ReleasedBatch, RunBatch
from mpikernel.wire.payload import Frames, dump, load_short

if TYPE_CHECKING:
    from mpikernel.engine.runner import Runner

#: Results wait so long for others at most (seconds).
EVERY = 3e-3
#: While tasks take this long or longer (seconds) the attendant sends them, so that the next one begins at once. It cannot where they
#: do not let go of Python's lock: so no result waits for it for longer than PATIENCE (seconds).
SLOW = 3e-4
PATIENCE = 2e-2
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
                if going and self._output.always and job.function is not None and job.function.loaded is not None:
                    going = self._run_quickly(job, *job.function.loaded)
        finally:
            self._put_back(job)

    def _may_go_on(self) -> bool:
        """Whether nothing has to be done before the next task of a batch.

        Where script and engine are one, whoever waits is to see after each task whether it waits still.
        """
        loop, queue = self._loop, self._state.queue
        return self._output.always and loop.stop is None and loop.hold.interrupted is None and (not queue or isinstance(queue[0], BatchJob))

    def _run_quickly(self, job: BatchJob, function: Callable[..., Any], captured: dict[str, Any]) -> bool:
        """Run one task after the other, as `_run_one` does, with nothing between them that need not be. False as there.

        The function has been called before. Each step of it that would be a function of its own takes longer than what it does.
        """
        runner, state, hold, pending, may_go_on = self._runner, self._state, self._loop.hold, job.pending, self._may_go_on
        mine, space, piece_of, now, printed = hold.mine, runner.namespace.space, job.pieces(), time.time, self._output.printed
        busy, arguments, result = mine.busy, f"the arguments of {job.label}", f"the result of {job.label}"
        while may_go_on():
            try:
                number = pending.popleft()
            except IndexError:
                return False
            state.since = started = now()
            state.call, runner.thread = number, threading.get_ident()
            try:
                runner.in_user_code, mine.busy = True, False
                if hold.visits:
                    hold.let_in()
                args, kwargs = load_short(piece_of(number), space, arguments)
                if captured:
                    establish(space, captured)
                frames = dump(function(*args, **kwargs), result)
                runner.in_user_code, mine.busy = False, busy
                runner.stay()
                outcome = None
            except BaseException as error:
                runner.in_user_code, mine.busy = False, busy
                outcome = runner.failed(job.single(number), error)
            finally:
                runner.thread = None
            if outcome is not None or len(frames) > 1 or len(frames[0]) > SMALL or printed():
                return self._report_alone(job, number, started, outcome or Outcome(frames))
            self._keep((job, number, frames[0], started, now()))
        return False

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
        self._keep((job, number, frames[0], started, completed))
        return True

    def _keep(self, result: Result) -> None:
        """Have a result sent with others."""
        self._state.results.append(result)
        self._size += len(result[PICKLE])
        completed = result[COMPLETED]
        patience = PATIENCE if completed - result[STARTED] >= SLOW else EVERY
        if self._size > ENOUGH or completed - self._state.sent >= patience:
            self._send()

    def _call(self, job: BatchJob, number: int) -> Frames:
        value = self._runner.call(job, job.label, (job.pieces()(number),))
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
    state.sent = rows[-1][COMPLETED] if rows else state.sent
    if state.seized >= 0:
        rows = [row for row in rows if not came_back(state, out, row[JOB], row[NUMBER])]
    for group in _groups(rows):
        columns: Iterator[Any] = zip(*group, strict=True)
        _, _, pickles, started, completed = columns
        job, first = group[0][JOB], group[0][NUMBER]
        command = job.command
        assert isinstance(command, RunBatch)
        ends = array("I", accumulate(map(len, pickles))).tobytes()
        times = array("d", started + completed).tobytes()
        out.send(command.client, DoneBatch(command.batch, first, state.id, ends, times), [b"".join(pickles)])
        out.send(job.sender, ReleasedBatch(command.batch, first, len(group), state.id, times))


def send_results_when_due(state: EngineState, out: Outbox, now: float) -> None:
    """Send what has waited long enough, while a task takes long."""
    if state.results and now - state.results[0][COMPLETED] >= EVERY:
        send_results(state, out)


def _groups(rows: list[Result]) -> Iterator[list[Result]]:
    """Rows as those of one batch with consecutive numbers."""
    begin = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end][JOB] is not rows[end - 1][JOB] or rows[end][NUMBER] != rows[end - 1][NUMBER] + 1:
            yield rows[begin:end]
            begin = end
