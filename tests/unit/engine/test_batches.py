"""Batches on an engine: what is sent together and what by itself, and when the rest of a batch waits."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, cast

import pytest

from mpikernel.engine.batches import ENOUGH, SMALL
from mpikernel.engine.output import Output
from mpikernel.engine.runner import Runner
from mpikernel.engine.service import host_engine
from mpikernel.engine.state import EngineState
from mpikernel.testing.clock import ManualClock
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.failure import rebuild
from mpikernel.wire.loop import Loop
from mpikernel.wire.loopback import loopback_world
from mpikernel.wire.messages import Apply, Done, DoneBatch, Failed, Message, Released, ReleasedBatch, RunBatch
from mpikernel.wire.payload import dump, load, load_many
from mpikernel.wire.transport import Arrival

ENGINE, CLIENT, TASK = 0, 1, 2


class Quiet:
    """Output of user code that prints only when the test says so."""

    always = True
    streams = ()

    def __init__(self) -> None:
        self.text = ""

    def begin(self) -> None:
        self.text = ""

    def end(self) -> tuple[str, str]:
        text, self.text = self.text, ""
        return text, ""

    def rest(self) -> None:
        self.text = ""

    def printed(self) -> bool:
        return bool(self.text)


class Bench:
    """An engine, and the ranks that it answers to."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        transports = loopback_world(3)
        self.output = Quiet()
        self.state = EngineState(4, ENGINE, "node7")
        self.loop = Loop(transports[ENGINE], clock)
        self.runner = Runner(self.state, self.loop, cast(Output, self.output))
        self.others = {CLIENT: transports[CLIENT], TASK: transports[TASK]}
        host_engine(self.loop, self.runner)

    def send(self, message: Message, frames: Sequence[Any], sender: int) -> None:
        self.others[sender].post(ENGINE, [Parcel(message, frames)])
        self.loop.turn()

    def batch(self, function: Callable[..., Any], items: Sequence[Any], first: int = 10) -> None:
        """Tasks numbered from `first` on."""
        pickles = [dump(((item,), {}))[0] for item in items]
        ends, frames = array("I", accumulate(map(len, pickles))).tobytes(), dump(function)
        message = RunBatch(first, first, CLIENT, b"name" + bytes(frames[0]), len(frames), "f", 0, ends, 0.0)
        self.send(message, [*frames, b"".join(pickles)], TASK)

    def run(self) -> None:
        while self.runner.run_next():
            self.loop.turn()

    def told(self, rank: int) -> list[Arrival]:
        return list(self.others[rank].poll())

    def results(self) -> tuple[dict[int, Any], list[int]]:
        """The values by task, and how many came in each message."""
        values: dict[int, Any] = {}
        counts = []
        for arrival in self.told(CLIENT):
            message = arrival.message
            if isinstance(message, DoneBatch):
                found = load_many(arrival.frames[0], memoryview(message.ends).cast("I"), "f")
                values.update(enumerate(found, message.first))
                counts.append(len(found))
            else:
                assert isinstance(message, Done)
                values[message.call] = load(arrival.frames)
                counts.append(1)
        return values, counts


#: What functions of this module find when an engine of a test calls them.
BENCHES: list[Bench] = []
ORDER: list[Any] = []
CLOCK = ManualClock()


def print_two(x: int) -> None:
    if x == 2:
        BENCHES[0].output.text = "said"


def note_and_ask(x: int) -> None:
    """During the first task of the batch a direct call arrives."""
    ORDER.append(x)
    if x == 0:
        frames = dump(note_direct)
        BENCHES[0].send(Apply(1, CLIENT, b"other", len(frames), "g", 0, False, 0.0), [*frames, *dump(((), {}))], CLIENT)


def note_direct() -> None:
    ORDER.append("direct")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_quick_tasks_are_answered_together(bench: Bench) -> None:
    bench.batch(abs, range(-200, 0))
    bench.run()
    values, counts = bench.results()
    assert values == {10 + index: 200 - index for index in range(200)}
    assert len(counts) < 200
    released = [arrival.message for arrival in bench.told(TASK)]
    assert sum(message.count for message in released if isinstance(message, ReleasedBatch)) == 200
    assert bench.state.running is None
    assert not bench.state.results


def test_what_fails_goes_to_the_task_interface_and_the_others_go_on(bench: Bench) -> None:
    bench.batch(lambda x: 12 // x, [1, 2, 0, 3])
    bench.run()
    assert bench.results()[0] == {10: 12, 11: 6, 13: 4}
    (failure,) = [arrival for arrival in bench.told(TASK) if isinstance(arrival.message, Failed)]
    assert isinstance(failure.message, Failed)
    assert failure.message.done.call == 12
    assert isinstance(rebuild(failure.frames, 4), ZeroDivisionError)


def test_large_results_go_by_themselves_and_in_order(bench: Bench) -> None:
    bench.batch(bytes, [1, SMALL + 1, 2, 3])
    bench.run()
    values, _ = bench.results()
    assert [len(values[number]) for number in range(10, 14)] == [1, SMALL + 1, 2, 3]
    told = [arrival.message for arrival in bench.told(TASK)]
    assert sum(isinstance(message, Released) for message in told) == 1


def test_results_are_sent_when_they_are_much_together(bench: Bench) -> None:
    bench.batch(bytes, [SMALL - 200] * 12)
    bench.run()
    values, counts = bench.results()
    assert len(values) == 12
    assert max(counts) <= ENOUGH // (SMALL - 200) + 1


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench at which time passes only as its tasks say."""
    CLOCK.now = 1_000_000.0
    monkeypatch.setattr("time.time", CLOCK)
    BENCHES[:] = [Bench(CLOCK)]
    return BENCHES[0]


def take(seconds: float) -> None:
    """A task that takes so long."""
    CLOCK.advance(seconds)


def take_and_look(seconds: float) -> None:
    """Another one, during which somebody sees to the loop, as the attendant does."""
    take(seconds)
    BENCHES[0].loop.turn()


def test_results_of_tasks_that_take_a_while_are_sent_while_the_next_one_runs(timed: Bench) -> None:
    timed.batch(take_and_look, [0.004] * 6)
    timed.run()
    assert timed.results()[1] == [1] * 6


def test_no_result_waits_long_for_somebody_who_sends_it(timed: Bench) -> None:
    timed.batch(take, [0.012] * 6)
    timed.run()
    assert timed.results()[1] == [1, 2, 2, 1]


def test_what_a_task_prints_is_its_own(bench: Bench) -> None:
    BENCHES[:] = [bench]
    bench.batch(print_two, [1, 2, 3])
    bench.run()
    alone = [arrival.message for arrival in bench.told(CLIENT) if isinstance(arrival.message, Done)]
    assert [(done.call, done.stdout) for done in alone] == [(11, "said")]


def test_a_direct_call_goes_before_the_rest_of_a_batch(bench: Bench) -> None:
    BENCHES[:] = [bench]
    ORDER.clear()
    bench.batch(note_and_ask, range(3))
    bench.run()
    assert ORDER == [0, "direct", 1, 2]
