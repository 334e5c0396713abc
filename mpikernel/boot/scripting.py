"""Runs the user's script on the rank that is the script interface, with a client's port open for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpikernel.client.here import close_port, open_port
from mpikernel.client.port import Port
from mpikernel.client.state import ClientState
from mpikernel.interfaces.script.program import run_program, tell_interrupt

if TYPE_CHECKING:
    from mpikernel.boot.hosting import Rank

#: Exit code of a script that was interrupted although nobody sent a signal: it raised KeyboardInterrupt itself.
INTERRUPTED = 130
SIGNAL_BASE = 128


def run_script(own: Rank) -> int:
    """Run the program to its end; its exit code."""
    layout, loop = own.layout, own.loop
    state = ClientState(own.rank, layout.controller, layout.task, layout.engines, tuple(own.hosts), loop.afterwards)
    runner = own.runner
    open_port(Port(state, loop, own.launch.settings.stream, (lambda: runner.in_this_thread) if runner else (lambda: False)))
    try:
        own.in_script = True
        code = run_program(own.launch.program)
        own.in_script = False
        return code
    except KeyboardInterrupt as interrupt:
        own.in_script = False
        tell_interrupt(loop.stop.reason if loop.stop else str(interrupt) or "KeyboardInterrupt")
        return SIGNAL_BASE + own.signals.first if own.signals.first else INTERRUPTED
    finally:
        close_port()
