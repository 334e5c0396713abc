"""A rank and its roles. Each role moves in by a module of its own, loaded only on ranks that have it: starting stays quick."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module

from mpikernel.boot.log import Log
from mpikernel.boot.signals import Signals
from mpikernel.config.launch import Launch
from mpikernel.config.launcher import ranks_may_die
from mpikernel.errors import LaunchError, RankDiedError
from mpikernel.ledger.promise import Ledger
from mpikernel.wire.doorbell import Doorbell
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.memory import pool
from mpikernel.wire.messages import SCRIPT_ENDED, Goodbye
from mpikernel.wire.mpi import MpiTransport
from mpikernel.world.communicators import Communicators
from mpikernel.world.exit_codes import FAILED
from mpikernel.world.layout import Layout
from mpikernel.world.roles import Role

#: The modules by which roles move in; each has a function `host(rank)`.
HOSTS = {
    Role.CONTROLLER: "mpikernel.boot.controller",
    Role.TASK: "mpikernel.boot.task",
    Role.SCRIPT: "mpikernel.boot.script",
    Role.ENGINE: "mpikernel.boot.engine",
}

#: Beyond the grace, how long a rank waits for the controller (seconds) before it takes it for dead.
CONTROLLER_PATIENCE = 10.0
#: How long a rank that may leave waits for its last messages to go (seconds).
FLUSH_PATIENCE = 1.0


class Rank:
    """One process of the world. Roles that move in add what they need done, and when."""

    def __init__(self, launch: Launch, log: Log, ledger: Ledger | None, layout: Layout, comms: Communicators, hosts: Sequence[str]) -> None:
        self.settings = launch.settings
        self.program = launch.program
        self.log = log
        self.ledger = ledger  # rank 0 has it
        self.layout = layout
        self.comms = comms
        self.hosts = hosts  # by rank
        self.rank = comms.mail.Get_rank()
        self.roles = layout.roles(self.rank)
        self.transport = MpiTransport(comms.mail, comms.bulk, comms.control, launch.settings.bulk_threshold, ranks_may_die(os.environ))
        self.loop = Loop(self.transport)
        pool.limit = launch.settings.receive_memory
        self.signals = Signals(self.loop, layout.controller, self.settings.grace, lambda: any(inside() for inside in self.user_code))
        self.user_code: list[Callable[[], bool]] = []  # each tells whether the main thread is in the user's code
        self.in_call: Callable[[], bool] = lambda: False  # whether the calling thread is in a call of an engine of this process
        self.main: Callable[[], object] = lambda: self.loop.wait(lambda: self.loop.stop)  # what the main thread does until the world stops
        self.at_goodbye: list[Callable[[Outbox], None]] = []  # under the loop's lock
        self.at_close: list[Callable[[], None]] = []

    @property
    def may_linger(self) -> bool:
        """Whether this process may take its time to exit: a script that ended well may have things to do at its exit."""
        stop = self.loop.stop
        ended_well = stop is not None and stop.reason == SCRIPT_ENDED and stop.code != FAILED
        return Role.SCRIPT in self.roles and self.signals.first is None and ended_well

    def listen_to(self, bell: Doorbell) -> None:
        """Sleep at this bell when there is nothing to do, and ring at others'."""
        self.loop.bell = bell
        self.transport.posted = bell.ring

    def move_in(self) -> None:
        """Take up the roles of this rank."""
        for role in self.roles:
            import_module(HOSTS[role]).host(self)

    def play(self) -> None:
        """Be what this rank is, until the world stops."""
        self.signals.install()
        if self.transport.mortal:
            self.loop.host(None, {}, lambda _state, _out, _now: self._check_controller())
        self.loop.start_attendant()
        self.main()

    def _check_controller(self) -> None:
        """Without the controller nobody ends the world in order.

        Raises:
            RankDiedError: it has died.
        """
        controller = self.layout.controller
        if controller in self.transport.dead and not self.loop.left:
            raise RankDiedError(f"rank {controller} (controller on {self.hosts[controller]}) died, and the world cannot do without it")

    def say_goodbye(self) -> None:
        """Tell the controller that this rank has stopped, and wait until everybody has.

        Large transfers go on to their end first: MPI cannot be finalized over them, and their memory is this process's. Who does
        not get there in time is one of those that did not stop.
        """
        transport = self.loop.transport
        self.wait_for("leave", lambda: not transport.moving or self.loop.left)
        with self.loop.hold:
            for action in self.at_goodbye:
                action(self.loop.out)
            self.loop.out.send(self.layout.controller, Goodbye(self.rank))
        self.wait_for("leave", lambda: self.loop.left)
        self.loop.wait(lambda: transport.idle, FLUSH_PATIENCE)

    def wait_for(self, order: str, condition: Callable[[], object]) -> None:
        """Wait for an order of the controller.

        Raises:
            LaunchError: it did not come in time, so the controller cannot be well.
        """
        patience = self.settings.grace + CONTROLLER_PATIENCE
        if not self.loop.wait(condition, patience):
            raise LaunchError(f"the controller (rank {self.layout.controller}) did not tell this rank to {order} within {patience:.0f} s")

    def close(self) -> None:
        """The loop ends here; afterwards only MPI is left to leave."""
        self.signals.ignore()
        self.loop.close()
        self.loop.transport.close()
        for action in self.at_close:
            action()
