"""Gives a rank its roles: puts together transport, loop, and the state of each role, and plays the one the main thread is for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mpikernel import engine
from mpikernel.boot.log import Log
from mpikernel.boot.signals import Signals
from mpikernel.config.launch import Launch
from mpikernel.controller import reactor as controller_reactor
from mpikernel.controller.state import ControllerState
from mpikernel.engine.output import Output
from mpikernel.engine.runner import Runner, become_main
from mpikernel.engine.service import host_engine, serve, serve_pending
from mpikernel.engine.state import EngineState
from mpikernel.errors import LaunchError, OverdueError
from mpikernel.interfaces.task import reactor as task_reactor
from mpikernel.interfaces.task.state import Seat, TaskState
from mpikernel.ledger.promise import Ledger
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.messages import Goodbye, ScriptEnded
from mpikernel.wire.mpi import MpiTransport
from mpikernel.world.communicators import Communicators, show_engines_alone
from mpikernel.world.layout import Layout
from mpikernel.world.roles import Role

#: Beyond the grace, how long a rank waits for the controller (seconds) before it takes it for dead.
CONTROLLER_PATIENCE = 10.0
#: How long a rank that may leave waits for its last messages to go (seconds).
FLUSH_PATIENCE = 1.0


class Rank:
    """One process of the world, ready to play its roles."""

    def __init__(self, launch: Launch, layout: Layout, comms: Communicators, hosts: Sequence[str], log: Log) -> None:
        self.launch = launch
        self.layout = layout
        self.comms = comms
        self.hosts = hosts
        self.log = log
        self.rank = comms.mail.Get_rank()
        self.roles = layout.roles(self.rank)
        self.loop = Loop(MpiTransport(comms.mail, comms.bulk, comms.control, launch.settings.bulk_threshold))
        self.runner: Runner | None = None  # of the engine, if it is one
        self.controller: ControllerState | None = None  # if it is the controller
        self.output: Output | None = None  # of the engine, if it is one
        self.in_script = False  # whether the main thread is in the user's script
        self.signals = Signals(self.loop, layout.controller, self._in_user_code)

    @property
    def may_linger(self) -> bool:
        """Whether this process may take its time to exit: the user's script may have things to do at its exit."""
        return Role.SCRIPT in self.roles and self.signals.first is None

    def _in_user_code(self) -> bool:
        return self.in_script or (self.runner is not None and self.runner.in_user_code)

    def play(self) -> None:
        """Be what this rank is, until the world stops."""
        self.signals.install()
        self.loop.start_attendant()
        if Role.SCRIPT in self.roles:
            self._play_script()
        elif self.runner is not None:
            serve(self.loop, self.runner)
        else:
            self.loop.wait(lambda: self.loop.stop)

    def _play_script(self) -> None:
        from mpikernel.boot.scripting import run_script  # here: only one rank has a script, and needs a client's imports

        code = run_script(self)
        with self.loop.hold:
            self.loop.out.send(self.layout.controller, ScriptEnded(code))
        self._wait("stop", lambda: self.loop.stop)

    def say_goodbye(self) -> None:
        """Tell the controller that this rank has stopped, and wait until everybody has."""
        if self.output is not None:
            self.output.close()
        with self.loop.hold:
            self.loop.out.send(self.layout.controller, Goodbye(self.rank))
        self._wait("leave", lambda: self.loop.left)
        self.loop.wait(lambda: self.loop.transport.idle, FLUSH_PATIENCE)

    def _wait(self, order: str, condition: Callable[[], object]) -> None:
        patience = self.launch.settings.grace + CONTROLLER_PATIENCE
        if not self.loop.wait(condition, patience):
            raise LaunchError(f"the controller (rank {self.layout.controller}) did not tell this rank to {order} within {patience:.0f} s")

    def close(self) -> None:
        """The loop ends here; afterwards only MPI is left to leave."""
        self.signals.ignore()
        self.loop.close()
        self.loop.transport.close()
        if self.controller is not None:
            self.controller.ledger.close()


def host_roles(launch: Launch, layout: Layout, comms: Communicators, ledger: Ledger | None, hosts: Sequence[str], log: Log) -> Rank:
    """Make this rank what the layout says."""
    own = Rank(launch, layout, comms, hosts, log)
    for role in own.roles:
        if role is Role.CONTROLLER:
            assert ledger is not None
            _host_controller(own, ledger)
        elif role is Role.TASK:
            _host_task(own)
        elif role is Role.ENGINE:
            _host_engine(own)
    return own


def _host_controller(own: Rank, ledger: Ledger) -> None:
    settings = own.launch.settings
    state = ControllerState(own.layout.size, ledger, settings.commit_interval, settings.commit_records, settings.grace)
    own.controller = state
    own.loop.host(state, controller_reactor.REACTIONS, controller_reactor.commit_when_due)
    own.loop.host(own, {}, _watch_stragglers)


def _watch_stragglers(own: Rank, out: Outbox, now: float) -> None:
    """Ranks that had their grace and have not stopped are named, the ledger is closed, and the world is aborted."""
    state = own.controller
    if state is None or not state.overdue(now):
        return
    assert state.code is not None
    state.ledger.end_run(state.code, time.time())
    state.ledger.close()
    names = ", ".join(
        f"rank {rank} ({'/'.join(role.value for role in own.layout.roles(rank))} on {own.hosts[rank]})" for rank in state.missing
    )
    raise OverdueError(f"{names} did not stop within {state.grace:g} s of being told to", state.code)


def _host_task(own: Rank) -> None:
    seats = [Seat(rank, own.hosts[rank]) for rank in own.layout.engines]
    own.loop.host(TaskState(own.layout.controller, seats), task_reactor.REACTIONS)


def _host_engine(own: Rank) -> None:
    settings = own.launch.settings
    number = own.layout.engines.index(own.rank)
    alone = len(own.roles) == 1
    host = own.hosts[own.rank]
    engine.introduce(
        id=number,
        size=len(own.layout.engines),
        comm=own.comms.engines,
        properties={"rank": own.rank, "host": host, "pid": os.getpid()},
    )
    log = Path(settings.cluster_dir) / "log"
    log.mkdir(parents=True, exist_ok=True)  # on hosts that do not see the controller's file system
    own.output = Output(log, number, always=alone)
    own.runner = Runner(EngineState(number, own.rank, host), own.loop, own.output)
    host_engine(own.loop, own.runner)
    if settings.comm_world == "engines":
        show_engines_alone(own.comms)
    if alone:
        become_main(own.runner.namespace)
        own.output.open()
    else:
        runner = own.runner
        own.loop.guest = lambda: serve_pending(runner)
