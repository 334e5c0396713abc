"""A client and engines that run real calls, in one process and one thread, over loopback: for tests of how data moves.

Unlike LoopbackWorld there is nothing beside them, engines run their calls by the very runner of a real world, and each has a host
of a name that is given. Whoever waits at the client drives everybody.

    engines = Engines(folder, hosts=("a", "a", "b"))
    with engines.working():
        DirectView(engines.client, "all").push({"x": 5}, block=True)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mpikernel.client.client import Client
from mpikernel.client.here import close_port, open_port
from mpikernel.client.port import Port
from mpikernel.client.state import ClientState
from mpikernel.client.traffic import Traffic
from mpikernel.engine.output import Output
from mpikernel.engine.runner import Runner
from mpikernel.engine.service import host_engine
from mpikernel.engine.state import EngineState
from mpikernel.engine.watching import REACTIONS as ANSWERS
from mpikernel.engine.watching import Doing
from mpikernel.wire.loop import Loop
from mpikernel.wire.loopback import loopback_world
from mpikernel.wire.messages import Note
from mpikernel.wire.notebook import Notebook

#: The client's rank; engine n has rank n + 1.
CLIENT = 0
#: From so many bytes on frames travel by themselves.
THRESHOLD = 1 << 16


class Engines:
    """A client on host "a" and an engine on each of `hosts`."""

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        ranks = tuple(range(1, len(hosts) + 1))
        self.loops = [Loop(transport) for transport in loopback_world(len(hosts) + 1, THRESHOLD)]  # by rank
        names = ("a", *hosts)
        loop = self.loops[CLIENT]
        self.state = ClientState(CLIENT, Notebook(CLIENT), CLIENT, ranks, names, loop.afterwards, Traffic(1 << 30, THRESHOLD))
        self.port = Port(self.state, loop, stream=False)
        loop.host(None, {Note: lambda *_: None})  # nobody keeps records here
        outputs = [Output(str(folder), number, always=False) for number in range(len(hosts))]
        self.runners = [
            Runner(EngineState(number, rank, names[rank]), self.loops[rank], outputs[number]) for number, rank in enumerate(ranks)
        ]
        self.busy: set[int] = set()  # engines that run nothing more
        self.asleep: set[int] = set()  # engines that do not even look at their mail
        for runner in self.runners:
            host_engine(self.loops[runner.state.rank], runner)
            self.loops[runner.state.rank].host(Doing(runner.state, lambda _now: None), ANSWERS)

    @contextmanager
    def working(self) -> Iterator[Client]:
        """Inside there is a client, and whoever waits at it drives everybody else."""
        open_port(self.port)
        self.loops[CLIENT].guest = self._work
        try:
            yield Client()
        finally:
            self.loops[CLIENT].guest = None
            close_port()

    def _work(self) -> bool:
        awake = [runner for runner in self.runners if runner.state.id not in self.asleep]
        happened = sum([self.loops[runner.state.rank].turn() for runner in awake])
        happened += sum([runner.run_next() for runner in awake if runner.state.id not in self.busy])
        self.check()
        return happened > 0

    def settle(self) -> None:
        """Everything that can happen."""
        while self.loops[CLIENT].turn() + self._work():
            pass

    def check(self) -> None:
        """What is always true of everybody."""
        self.state.check()
        for runner in self.runners:
            runner.state.check()
