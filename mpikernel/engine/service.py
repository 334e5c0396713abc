"""An engine at work: wait for calls, run them, until the world stops.

A process that is nothing but an engine does so in its main thread. In a world of one rank there is no thread to spare:
there whoever waits for a result runs the calls (`serve_pending`), one thread at a time.
"""

from __future__ import annotations

from mpikernel.engine.batches import send_results_when_due
from mpikernel.engine.reactor import PLACES, REACTIONS
from mpikernel.engine.runner import Runner
from mpikernel.wire.loop import Loop, Outbox


def host_engine(loop: Loop, runner: Runner) -> None:
    """Give the engine its place in the loop."""
    loop.host(runner.state, REACTIONS, lambda _state, out, now: _tick(runner, out, now), PLACES)


def _tick(runner: Runner, out: Outbox, now: float) -> None:
    send_results_when_due(runner.state, out, now)
    if runner.state.running is not None:
        runner.stream(out, ended=False)


def serve(loop: Loop, runner: Runner) -> None:
    """Run calls as they come. Returns when the world stops; what is queued then is dropped."""
    while loop.stop is None:
        loop.wait(lambda: runner.ready or loop.stop)
        if loop.stop is None:
            runner.run_next()


def serve_pending(runner: Runner) -> bool:
    """Run what is queued; whether there was anything."""
    ran = False
    while runner.run_next():
        ran = True
    return ran
