"""Runs calls: the only place that enters user code. Always in the thread that serves the engine, never under the loop's lock.

The user's code is a guest: whatever it raises (SystemExit and KeyboardInterrupt too) becomes the call's error.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from mpikernel.arrays.gathering import describe as describe_part
from mpikernel.arrays.gathering import outgoing
from mpikernel.engine.batches import BatchRunner
from mpikernel.engine.giving_up import came_back
from mpikernel.engine.namespace import Namespace
from mpikernel.engine.outcome import Outcome, failed, name_of
from mpikernel.engine.output import Output
from mpikernel.engine.state import BatchJob, EngineState, Job, Promise
from mpikernel.engine.staying import end_child
from mpikernel.errors import OurProtocolError, SerializeError
from mpikernel.wire.arguments import of_its_own
from mpikernel.wire.envelope import Frame
from mpikernel.wire.functions import KeptThere, establish
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.messages import Apply, Clear, Described, Done, Execute, Failed, Gather, Keys, Pull, Push, PushShared, Released
from mpikernel.wire.messages import Output as OutputMessage
from mpikernel.wire.payload import Frames, dump, load, load_function


class Runner:
    """Runs the calls of one engine, one after the other."""

    def __init__(self, state: EngineState, loop: Loop, output: Output) -> None:
        self.state = state
        self.namespace = Namespace()
        self.in_user_code = False  # whether a KeyboardInterrupt raised now would hit the user's code and nothing else
        self.thread: int | None = None  # that is in a call now
        self.lent = False  # the last result is sent from memory that user code may write to
        self._process = os.getpid()
        self._loop = loop
        self._output = output
        self._batches = BatchRunner(self, state, loop, output)

    @property
    def in_this_thread(self) -> bool:
        """Whether the calling thread is in a call of this engine."""
        return self.thread == threading.get_ident()

    @property
    def ready(self) -> bool:
        """Whether a call waits and may begin.

        Not while the arrays of the last result, which it might change, are being sent; and not after a signal: the world is about to end.
        """
        free = self.state.running is None and self._loop.hold.interrupted is None
        return self.state.due is not None and free and (not self.lent or self._all_sent)

    @property
    def _all_sent(self) -> bool:
        return not self._loop.out.mail and self._loop.transport.idle

    def run_next(self) -> bool:
        """Run the call that is first in the queue, and send what came of it. False if none may begin now."""
        with self._loop.hold:
            if not self.ready:
                return False
            job = self.state.begin()
            assert job is not None, "ready with nothing to run"
            self._output.begin()
        if isinstance(job, BatchJob):
            self._batches.run(job)
            return True
        return self._run(job)

    def _run(self, job: Job) -> bool:
        started, promised, state = time.time(), job.promise, self.state
        state.since = started
        state.call = job.command.call
        outcome = self.guarded(lambda: self._dump(job, self._obey(job)), lambda: job)
        if not self.conclude(job, started, outcome, promised):
            return False
        self._loop.turn()  # not `nudge`, which in a world of one rank would run the next call inside of this one
        return True

    def conclude(self, job: Job, started: float, outcome: Outcome, promised: Promise | None = None, batch: BatchJob | None = None) -> bool:
        """A call has ended: send what came of it. False if the world is ending and it counts as unfinished.

        A call of a `batch` leaves that running: until it has been put back, no other thread may begin anything.
        """
        stdout, stderr = self._output.end()
        done = Done(job.command.call, self.state.id, outcome.status, started, time.time(), stdout, stderr, outcome.error)
        with self._loop.hold:
            self.stream(self._loop.out, ended=True)
            self.state.running = batch
            self.lent = len(outcome.frames) > 1  # the first is a pickle, the others are the user's arrays
            if outcome.error and self._was_cut_short():
                return False
            if came_back(self.state, self._loop.out, job, done.call):
                return True
            if job.promise is promised or outcome.error:
                report(self._loop.out, job, done, outcome.frames, outcome.rejected)
            else:
                self.state.promised[done.call] = job
                self._loop.out.send(job.client, Described(done.call), outcome.frames)
        return True

    def _was_cut_short(self) -> bool:
        """Whether the world is ending: what went wrong then is no error of the call, which is unfinished.

        Raises:
            KeyboardInterrupt: a signal interrupted the call in the script's own process, so it is the script that is interrupted.
        """
        signalled = self._loop.hold.interrupted
        if signalled is not None and not self._output.always:
            raise KeyboardInterrupt(*signalled.args)
        return signalled is not None or self._loop.stop is not None

    def guarded(self, work: Callable[[], Frames], job: Callable[[], Job]) -> Outcome:
        """Do work that is the user's, in this thread. `job` gives what it belongs to, for its error."""
        hold = self._loop.hold
        busy = hold.mine.busy  # assigned below, not by a function: signals come in where functions begin
        self.thread = threading.get_ident()
        try:
            self.in_user_code, hold.mine.busy = True, False
            hold.let_in()
            frames = work()
            self.in_user_code, hold.mine.busy = False, busy
            self.stay()
            return Outcome(frames)
        except BaseException as error:
            self.in_user_code, hold.mine.busy = False, busy
            return self.failed(job(), error)
        finally:
            self.thread = None

    def stay(self) -> None:
        """User code has returned: end this process if the user's code has forked it, and it is no engine."""
        if os.getpid() != self._process:
            end_child(self._process, None)

    def failed(self, job: Job, error: BaseException) -> Outcome:
        """User code has raised this."""
        end_child(self._process, error)
        return failed(self.state, job, error)

    def _obey(self, job: Job) -> Any:
        command, space = job.command, self.namespace
        match command:
            case Apply():
                return self.call(job, command.label, of_its_own(command.named, job.frames))
            case Execute():
                return space.execute(command.code, command.filename)
            case Push():
                return self._push(command.names, job.frames)
            case PushShared():
                return self._push(command.names, self.state.sharing.take(command, job.frames))
            case Pull():
                values = [space.pull(name) for name in command.names]
                return values[0] if command.single else values
            case Gather():
                return self._gather(job, command)
            case Keys():
                return space.keys()
            case Clear():
                return space.clear()
        raise OurProtocolError(f"an engine cannot run {type(command).__name__}")

    def call(self, job: Job, label: str, arguments: Sequence[Frame]) -> Any:
        """Call a job's function, which is rebuilt when it is first called, with what it captured established anew."""
        function, space = job.function, self.namespace.space
        assert function is not None
        if function.loaded is None:
            function.loaded = load_function(function.frames, space, label)
        call, captured = function.loaded
        if captured:
            establish(space, captured)
        args, kwargs = load(arguments, space, f"the arguments of {label}")
        return call(*args, **kwargs)

    def _push(self, names: Sequence[str], frames: Sequence[Frame]) -> None:
        self.namespace.push(names, load(frames, self.namespace.space, f"what was pushed as {', '.join(names)}"))

    def _gather(self, job: Job, command: Gather) -> Any:
        """A value, or the description of a large array; when the job comes again, with its promise, the array itself."""
        promise = job.promise
        if promise is None:
            value = self.namespace.pull(command.name)
            described = describe_part(value, command.least)
            job.promise = Promise(value) if described is not None else None
            return value if described is None else described
        asked = promise.asked
        if asked is None:
            return promise.value
        return outgoing(promise.value, asked.order) if asked.wanted else None

    def _dump(self, job: Job, value: Any) -> Frames:
        if not isinstance(job.command, Execute):
            return dump(value, f"the result of {name_of(job)}")
        try:
            return dump(value)
        except SerializeError:
            return dump(KeptThere(repr(value)))

    def stream(self, out: Outbox, ended: bool) -> None:
        """Send on what a call has printed, if its client wants to see it; called under the lock.

        Where script and engine share a process this waits until the call has ended: until then its output has the terminal's place.
        """
        job = self.state.running
        if job is None or not isinstance(job.command, Apply | Execute) or not job.command.stream:
            return
        if not ended and not self._output.always:
            return
        for stream in self._output.streams:
            text = stream.news(ended)
            if text:
                out.send(job.client, OutputMessage(job.command.call, self.state.id, stream.name, text))


def report(out: Outbox, job: Job, done: Done, frames: Frames, rejected: bool = False) -> None:
    """Results go straight to the client; what failed goes to the task interface first, which may try again."""
    if not job.is_task:
        out.send(job.client, done, frames)
        return
    assert isinstance(job.command, Apply)
    if done.status == "ok":
        out.send(job.client, done, frames)
        out.send(job.sender, Released(done.call, job.command.attempt, done.started, done.completed))
    else:
        out.send(job.sender, Failed(job.command.attempt, done, rejected), frames)


def become_main(namespace: Namespace) -> None:
    """Make the namespace this process's `__main__`, so that pickle and the user's code find it under that name."""
    sys.modules["__main__"] = namespace.module
