"""Answers what an engine is doing, out of the loop, while its call may sit in MPI and not come back.

Where a thread is, its frames tell; that it has been there since the last question and not merely again, a sign of life does: a signal
handler is asked for that runs only when the thread is back in Python. No system call of the user's is interrupted for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mpikernel.engine.runner import Runner
from mpikernel.engine.state import EngineState
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import There, Where
from mpikernel.wire.sitting import Sitting
from mpikernel.wire.transport import Arrival

if TYPE_CHECKING:
    from mpikernel.engine.sitting import Ids

#: Tells whether what an engine runs sits in MPI, and since when.
Look = Callable[[float], Sitting | None]


class Watcher:
    """Looks at the calls of one engine.

    Args:
        ask_for_sign: has `alive` called in the thread that runs calls as soon as it runs Python code; False if that cannot be had.
        ids: whom a communicator joins.
    """

    def __init__(self, runner: Runner, ask_for_sign: Callable[[], bool], ids: Ids) -> None:
        self._runner = runner
        self._ask_for_sign = ask_for_sign
        self._ids = ids
        self._call = -1  # that was looked at last
        self._since = 0.0  # when a sign of life was asked for (seconds since the epoch)
        self._asked = False  # it has been, and none has come

    def alive(self) -> None:
        """The call has come back to Python, or another one runs."""
        self._asked = False

    def look(self, now: float) -> Sitting | None:
        """The call of MPI that the engine's call sits in, if it has not left it since it was looked at before."""
        runner, call = self._runner, self._runner.state.call
        if not runner.in_user_code or runner.thread is None:
            self._asked = False
        elif not self._asked or self._call != call:
            self._call, self._since = call, now
            self._asked = self._ask_for_sign()
        else:
            try:
                sitting = self._sitting(runner.thread, now)
            except Exception:  # whatever the user's objects do when they are looked at
                return None
            return sitting if self._asked else None
        return None

    def _sitting(self, thread: int, now: float) -> Sitting | None:
        from mpikernel.engine.sitting import frame_of, place_of, trace_of, waits_of  # here: engines start without ast and traceback

        frame, state = frame_of(thread), self._runner.state
        found = waits_of(frame, state.id, self._ids) if frame is not None else None
        if frame is None or found is None:
            return None
        return Sitting(found[0], place_of(frame), found[1], state.since, now - self._since, trace_of(frame))


class Doing:
    """What an engine answers with."""

    def __init__(self, state: EngineState, look: Look) -> None:
        self.state = state
        self.look = look


def on_where(doing: Doing, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Where)
    state = doing.state
    idle = state.running is None and not state.queue
    out.send(arrival.sender, There(arrival.message.question, state.begun, idle, None if idle else doing.look(now)))


REACTIONS = {Where: on_where}
