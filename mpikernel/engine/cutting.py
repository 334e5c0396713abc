"""Interrupts calls that run: those that are cancelled, those that take too long, and whatever runs when a client says so.

Whoever drives the loop decides (`tick`) and has a signal sent to the main thread. Its handler asks here (`land`) whether what runs
there is still what is to be interrupted: nothing is ever raised in our own code, nor in the next call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from mpikernel.engine.runner import Runner
from mpikernel.engine.state import CANCELLED, INTERRUPTED, TIMEOUT, Cut, EngineState
from mpikernel.wire.messages import Apply, RunBatch

#: A call that goes on is interrupted again after so long (seconds): its `finally` and `with` are to have their time.
AGAIN = 1.0
#: After so many times the engine's log says where it is.
TRIES = 3

#: Is called with an interrupt, and the time.
Unheard = Callable[[Cut, float], None]


class Cutter:
    """Interrupts the calls of one engine. `signal` has `land` asked in the main thread, where that runs Python code."""

    def __init__(self, runner: Runner, signal: Callable[[], object]) -> None:
        self.unheard: Unheard = lambda cut, now: None  # told when that has been asked for `TRIES` times in vain, and each time after
        self._runner = runner
        self._signal = signal

    def tick(self, now: float) -> None:
        """Have the call that runs interrupted, if it is to be and it is time; called under the loop's lock."""
        inside = self._runner.in_user_code  # read first: if it is a call that has ended, nothing has been told of that
        cut = wanted(self._runner.state, now)
        if cut is None or not inside or not is_due(cut, now):
            return
        if cut.unheard >= TRIES:
            self.unheard(cut, now)
        cut.tries += 1
        cut.unheard += 1
        cut.asked = now
        if cut.tries == TRIES + 1:
            self._tell(cut)
        self._signal()

    def land(self) -> bool:
        """Whether what this thread runs is to be interrupted now; whoever asks does it."""
        runner, cut = self._runner, self._runner.state.cut
        if cut is None or not cut.unheard or cut.call != runner.state.call or not (runner.in_user_code and runner.in_this_thread):
            return False
        cut.unheard, cut.raised = 0, True
        return True

    def _tell(self, cut: Cut) -> None:
        """Say in the engine's log where a call is that does not end. Written by its descriptor: sys.stderr is the user's to replace."""
        import traceback  # here: hardly ever needed

        frame = sys._current_frames().get(self._runner.thread or 0)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        line = f"mpikernel: warning: call {cut.call} was interrupted {TRIES} times ({cut.why}), and goes on here:\n{stack}"
        with suppress(OSError):  # the user's code may have closed it
            os.write(2, line.encode(errors="backslashreplace"))


def wanted(state: EngineState, now: float) -> Cut | None:
    """The interrupt that the call that runs is to have, if any. That it is cancelled outdoes that it is late, and both another's wish."""
    call, cut = state.call, state.cut
    if state.running is None or call < 0:
        return None
    if cut is not None and cut.call != call:
        cut = None
    why = CANCELLED if call in state.unwanted else TIMEOUT if _is_late(state, now) else None
    if why is not None:
        cut = cut or Cut(call, why)
        cut.why = why
    state.cut = cut
    return cut


def _is_late(state: EngineState, now: float) -> bool:
    command = state.running.command if state.running is not None else None
    return isinstance(command, Apply | RunBatch) and 0 < command.timeout <= now - state.since


def is_due(cut: Cut, now: float) -> bool:
    """Whether it is time to interrupt. What a client merely wishes is raised once, as Ctrl-C is: the user's code may live on after it."""
    if cut.why == INTERRUPTED and cut.raised:
        return False
    return not cut.tries or now - cut.asked >= AGAIN
