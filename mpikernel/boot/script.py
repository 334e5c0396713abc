"""The script interface moves in: it runs the user's program, with a port open for its clients."""

from __future__ import annotations

import os

from mpikernel.boot.hosting import Rank
from mpikernel.client.here import close_port, open_port
from mpikernel.client.port import Port
from mpikernel.client.repeats import Repeats
from mpikernel.client.state import ClientState
from mpikernel.client.traffic import Traffic
from mpikernel.engine.staying import leave_at_once
from mpikernel.interfaces.script.program import run_program, tell_interrupt
from mpikernel.wire.messages import ScriptEnded
from mpikernel.wire.notebook import Notebook
from mpikernel.world.exit_codes import INTERRUPTED, SIGNAL_BASE


class Script:
    """The user's program on this rank. `inside` tells whether the main thread is in it."""

    def __init__(self, rank: Rank, state: ClientState) -> None:
        self.inside = False
        self._rank = rank
        self._state = state

    def play(self) -> None:
        """Run it, tell the controller how it ended, and wait until the world stops."""
        rank = self._rank
        process, code = os.getpid(), self._run()
        if os.getpid() != process:  # a child that the script has forked has come to its end: it is not in the world
            leave_at_once(code)
        for line in self._state.left_over() if code == 0 else ():
            rank.log.warning(line)
        with rank.loop.hold:
            rank.loop.out.send(rank.layout.controller, ScriptEnded(code))
        rank.wait_for("stop", lambda: rank.loop.stop)

    def _run(self) -> int:
        loop, signals = self._rank.loop, self._rank.signals
        try:
            self.inside = True
            code = run_program(self._rank.program)
            self.inside = False
            return code
        except KeyboardInterrupt as interrupt:
            self.inside = False
            tell_interrupt(loop.stop.reason if loop.stop else str(interrupt) or "KeyboardInterrupt")
            return SIGNAL_BASE + signals.first if signals.first else INTERRUPTED
        finally:
            close_port()


def host(rank: Rank) -> None:
    layout, loop = rank.layout, rank.loop
    traffic = Traffic(rank.settings.transfer_window, rank.settings.bulk_threshold)
    repeats = Repeats(rank.rank, rank.settings.argument_cache, rank.settings.bulk_threshold)
    notes, hosts = Notebook(layout.controller), tuple(rank.hosts)
    state = ClientState(rank.rank, notes, layout.task, layout.engines, hosts, loop.afterwards, traffic, repeats)
    port = Port(state, loop, rank.settings.stream, lambda: rank.in_call())
    open_port(port)
    rank.at_goodbye.append(state.notes.send)
    rank.at_goodbye.append(lambda _out: port.watch.end())
    script = Script(rank, state)
    rank.user_code.append(lambda: script.inside)
    rank.main = script.play
