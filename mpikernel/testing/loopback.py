"""A whole world in one process and one thread, for tests of the protocol: every role a real reactor in a real loop, over loopback.

Nothing happens but what a test asks for: a turn of a rank, a call on an engine, a moment of time. In place of the users' code
on engines stands a function that is given.

    world = LoopbackWorld(engines=2)
    result = AsyncResult(world.port, "f", single=True)
    world.port.submit(result, "f", ...)
    result.launched()
    world.run()
    assert result.result() == ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mpikernel.client.port import Port
from mpikernel.client.state import ClientState
from mpikernel.client.traffic import Traffic
from mpikernel.controller import reactor as controller
from mpikernel.controller.state import ControllerState
from mpikernel.engine import reactor as engine
from mpikernel.engine import watching
from mpikernel.engine.runner import report
from mpikernel.engine.state import BatchJob, EngineState, Job
from mpikernel.engine.watching import Doing
from mpikernel.interfaces.task import reactor as task
from mpikernel.interfaces.task.keeping import Keeping
from mpikernel.interfaces.task.seats import Seat
from mpikernel.interfaces.task.state import TaskState
from mpikernel.ledger.memory import MemoryLedger
from mpikernel.ledger.records import Run
from mpikernel.testing.clock import ManualClock
from mpikernel.wire.arguments import of_its_own
from mpikernel.wire.failure import describe, one_line
from mpikernel.wire.functions import new_namespace
from mpikernel.wire.loop import Loop
from mpikernel.wire.loopback import loopback_world
from mpikernel.wire.messages import Apply, Done
from mpikernel.wire.notebook import Notebook
from mpikernel.wire.payload import dump, load, load_function
from mpikernel.wire.sitting import Sitting
from mpikernel.world.layout import arrange

#: Bytes of what a task is called with that the ledger keeps.
KEPT = 1 << 16

#: What stands for the user's code: (engine id, job) -> value; what it raises is the call's error.
Perform = Callable[[int, Job], Any]


def call_it(number: int, job: Job) -> Any:
    """Do what an Apply asks for, with nothing bound on the engine."""
    assert job.function is not None, f"{job.command} is no call of a function"
    home = new_namespace()
    function, _ = load_function(job.function.frames, home, "f")
    args, kwargs = load(of_its_own(job.command.named, job.frames) if isinstance(job.command, Apply) else job.frames, home)
    return function(*args, **kwargs)


def begin_single(state: EngineState) -> Job | None:
    """As `begin`; of a batch its first task, by itself. The others wait on."""
    job = state.begin()
    if isinstance(job, BatchJob):
        state.running = job.single(job.pending.popleft())
        if job.pending:
            state.queue.appendleft(job)
    return state.running


class LoopbackWorld:
    """Ranks: controller 0, script 1, task interface 2, engines from 3 on."""

    def __init__(self, engines: int = 2, perform: Perform = call_it) -> None:
        self.clock = ManualClock()
        self.layout = arrange(3 + engines, interfaces=2)
        self.loops = [Loop(transport, self.clock) for transport in loopback_world(self.layout.size)]  # by rank
        self.ledger = MemoryLedger()
        self.ledger.begin_run(Run(0, self.clock()))
        self.controller = ControllerState(self.layout.size, self.ledger, commit_interval=0.05, commit_records=4000, grace=3.0, script=1)
        self.hosts = tuple(f"host{rank}" for rank in range(self.layout.size))
        self.task = TaskState(Notebook(0), [Seat(rank, self.hosts[rank]) for rank in self.layout.engines])
        self.task.keeping = Keeping(KEPT, 100 * KEPT)
        self.engines = [EngineState(number, rank, self.hosts[rank]) for number, rank in enumerate(self.layout.engines)]
        client = ClientState(1, Notebook(0), 2, self.layout.engines, self.hosts, self.loops[1].afterwards, Traffic(1 << 28, 1 << 16))
        self.port = Port(client, self.loops[1], stream=False)
        self.client = client
        self.sitting: dict[int, Sitting] = {}  # engines whose call sits in MPI, as they say
        self._perform = perform
        self._move_in()

    def _move_in(self) -> None:
        self.loops[0].host(self.controller, controller.REACTIONS, controller.commit_when_due)
        self.loops[2].host(self.task, task.REACTIONS, task.tick)
        for state in self.engines:
            self.loops[state.rank].host(state, engine.REACTIONS)
            self.loops[state.rank].host(Doing(state, self._look_at(state.id)), watching.REACTIONS)

    def _look_at(self, number: int) -> watching.Look:
        return lambda _now: self.sitting.get(number)

    # messages ----------------------------------------------------------------------------------------------------------

    def turn(self, rank: int) -> bool:
        """One turn of a rank. Whether anything happened."""
        happened = self.loops[rank].turn()
        self.check()
        return happened

    def settle(self) -> bool:
        """Turns of everybody until nothing happens any more; no user code runs. Whether anything happened."""
        happened = False
        while sum(self.turn(rank) for rank in range(self.layout.size)):  # of all, not only up to the first to whom something happens
            happened = True
        return happened

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and everybody do what is due then."""
        self.clock.advance(seconds)
        self.settle()

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Inside, whoever waits at the client drives everybody else too; still no user code runs."""
        yield from self._waited_for_by(lambda: self._turn_others() > 0)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Inside, whoever waits at the client drives everybody else too, and engines run what they have."""
        yield from self._waited_for_by(lambda: self._turn_others() + self._run_each() > 0)

    def _waited_for_by(self, guest: Callable[[], bool]) -> Iterator[None]:
        loop = self.loops[self.client.rank]
        loop.guest = guest
        try:
            yield
        finally:
            loop.guest = None

    def _turn_others(self) -> int:
        return sum(self.turn(rank) for rank in range(self.layout.size) if rank != self.client.rank)

    # user code ---------------------------------------------------------------------------------------------------------

    def begin(self, number: int) -> Job | None:
        """An engine begins the call that is first in its queue; None if there is none."""
        state = self.engines[number]
        assert state.running is None, f"engine {number} runs {state.running} already"
        return begin_single(state)

    def finish(self, number: int) -> Done:
        """An engine ends the call that it has begun, and reports what came of it."""
        state, started = self.engines[number], self.clock()
        job, state.running = state.running, None
        assert job is not None, f"engine {number} has begun nothing"
        try:
            frames, error = dump(self._perform(number, job)), ""
        except Exception as failure:
            frames, error = describe(failure, f"on engine {number}:"), one_line(failure)
        done = Done(job.command.call, number, "error" if error else "ok", started, self.clock(), "", "", error)
        report(self.loops[state.rank].out, job, done, frames)
        return done

    def run(self) -> None:
        """Everything that can happen without time passing: messages arrive, and engines run what they have."""
        self.settle()
        while self._run_each():
            self.settle()

    def _run_each(self) -> int:
        """One call on each engine that has any; how many."""
        return sum(self._run_one(state) for state in self.engines)

    def _run_one(self, state: EngineState) -> bool:
        if state.running is None and self.begin(state.id) is None:
            return False
        self.finish(state.id)
        return True

    def check(self) -> None:
        """What is always true of each role."""
        self.controller.check()
        self.client.check()
        self.task.check()
        for state in self.engines:
            state.check()
