"""The runner: what becomes of each call, and that no call disturbs the one before it, the loop, or the next one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest

from mpikernel.arrays.gathering import Part
from mpikernel.engine.output import Output
from mpikernel.engine.runner import Runner, become_main
from mpikernel.engine.service import host_engine, serve_pending
from mpikernel.engine.state import EngineState
from mpikernel.errors import RemoteError, SerializeError, remote_text
from mpikernel.wire.envelope import Frame, Parcel
from mpikernel.wire.failure import rebuild
from mpikernel.wire.functions import KeptThere, Reference
from mpikernel.wire.loop import Loop
from mpikernel.wire.loopback import LoopbackTransport
from mpikernel.wire.messages import Apply, Clear, Described, Done, Execute, Failed, Gather, Give, Keys, Message, Pull, Push, Released, Stop
from mpikernel.wire.messages import Output as OutputMessage
from mpikernel.wire.payload import dump, load
from mpikernel.wire.transport import Arrival

ENGINE, CLIENT, TASK = 0, 1, 2


class Sending(LoopbackTransport):
    """A transport whose messages may take their time to leave."""

    idle = True


class Bench:
    """An engine at work, the ranks that it answers to, and calls for it."""

    def __init__(self, folder: Path) -> None:
        world: dict[int, LoopbackTransport] = {}
        self.transport = Sending(ENGINE, 3, world, 1 << 16)
        self.loop = Loop(self.transport)
        self.runner = Runner(EngineState(4, ENGINE, "node7"), self.loop, Output(str(folder), 4, always=False))
        self.others = {rank: LoopbackTransport(rank, 3, world, 1 << 16) for rank in (CLIENT, TASK)}
        host_engine(self.loop, self.runner)

    def send(self, message: Message, frames: Sequence[Frame] = (), sender: int = CLIENT) -> None:
        self.others[sender].post(ENGINE, [Parcel(message, frames)])
        self.loop.turn()

    def apply(self, function: Any, *args: Any, task: bool = False, stream: bool = False, **kwargs: Any) -> None:
        frames = dump(function)
        message = Apply(1, CLIENT, b"name" + frames[0], len(frames), "f", int(task), stream, 0.0)
        self.send(message, [*frames, *dump((args, kwargs))], TASK if task else CLIENT)

    def run(self) -> None:
        assert self.runner.run_next()

    def answer(self) -> Arrival:
        """The one message that the client got."""
        [arrival] = self.others[CLIENT].poll()
        return arrival

    def value(self) -> Any:
        """What came of the one call."""
        self.run()
        done, frames = self.answer()[1:]
        assert isinstance(done, Done)
        assert (done.status, done.error) == ("ok", "")
        return load(frames)

    def error(self) -> tuple[Done, Exception]:
        self.run()
        done, frames = self.answer()[1:]
        assert isinstance(done, Done)
        assert done.status == "error"
        return done, rebuild(frames, 4)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def fail(text: str) -> None:
    raise ValueError(text)


# each command -----------------------------------------------------------------------------------------------------------


def test_apply(bench: Bench) -> None:
    bench.apply(max, [3, 1], default=0)
    assert bench.value() == 3


def test_execute_push_pull_keys_and_clear(bench: Bench) -> None:
    bench.send(Push(1, ("a", "b")), dump((2, numpy.arange(3))))
    assert bench.value() is None
    bench.send(Execute(2, "c = a * b\nc.sum()", "<execute 1>", False))
    assert bench.value() == 6
    bench.send(Pull(3, ("a", "c.size"), False))
    assert bench.value() == [2, 3]
    bench.send(Pull(4, ("a",), True))
    assert bench.value() == 2
    bench.send(Keys(5))
    assert sorted(bench.value()) == ["_", "a", "b", "c"]
    bench.send(Clear(6))
    assert bench.value() is None
    bench.send(Keys(7))
    assert bench.value() == []


def test_references_in_arguments_are_the_engines_own(bench: Bench) -> None:
    bench.send(Push(1, ("a",)), dump(([1, 2],)))
    bench.value()
    bench.apply(len, Reference("a"))
    assert bench.value() == 2


def test_times_and_place_are_told(bench: Bench) -> None:
    bench.apply(abs, -1)
    bench.run()
    done = bench.answer().message
    assert isinstance(done, Done)
    assert done.engine == 4
    assert 0 < done.started <= done.completed


def test_nothing_to_run(bench: Bench) -> None:
    assert not bench.runner.ready
    assert not bench.runner.run_next()
    assert not serve_pending(bench.runner)


def test_everything_that_waits_is_run(bench: Bench) -> None:
    for _ in range(3):
        bench.apply(abs, -1)
    assert serve_pending(bench.runner)
    assert len(bench.others[CLIENT].poll()) == 3


# gathers ----------------------------------------------------------------------------------------------------------------


def described(bench: Bench) -> Part:
    """What the client is told of a large part; the call has not ended."""
    bench.run()
    message, frames = bench.answer()[1:]
    assert message == Described(1)
    part = load(frames)
    assert isinstance(part, Part)
    return part


def test_a_gather_brings_small_things_at_once(bench: Bench) -> None:
    bench.runner.namespace.push(("a",), ([1, 2],))
    bench.send(Gather(1, "a", 8))
    assert bench.value() == [1, 2]


def test_a_large_array_is_described_and_goes_when_it_is_asked_for(bench: Bench) -> None:
    array = numpy.arange(6.0).reshape(2, 3)
    bench.runner.namespace.push(("a",), (array,))
    bench.send(Gather(1, "a", 48))
    assert described(bench) == Part(array.dtype, (2, 3), "C")
    assert not bench.runner.ready
    bench.send(Give(1, True, "F"))
    came = bench.value()
    assert came.flags.f_contiguous
    assert numpy.array_equal(came, array)
    assert not bench.runner.state.promised


def test_an_array_that_is_not_wanted_does_not_go(bench: Bench) -> None:
    bench.runner.namespace.push(("a",), (numpy.zeros(9),))
    bench.send(Gather(1, "a", 8))
    described(bench)
    bench.send(Give(1, False, "K"))
    assert bench.value() is None


def test_an_array_goes_unasked_before_the_next_call_and_is_asked_for_in_vain(bench: Bench) -> None:
    array = numpy.zeros(9)
    bench.runner.namespace.push(("a",), (array,))
    bench.send(Gather(1, "a", 8))
    described(bench)
    bench.send(Execute(2, "a += 1", "<execute 1>", False))
    assert bench.value().tolist() == [0] * 9
    bench.send(Give(1, True, "C"))
    bench.run()
    assert array.tolist() == [1] * 9
    assert not bench.runner.ready


def test_a_gather_of_nothing_is_an_error(bench: Bench) -> None:
    bench.send(Gather(1, "nothing", 8))
    assert bench.error()[0].error == "NameError: name 'nothing' is not defined on this engine"


# failures ---------------------------------------------------------------------------------------------------------------


def test_an_exception_is_the_calls_error(bench: Bench) -> None:
    bench.apply(fail, "no")
    done, error = bench.error()
    assert done.error == "ValueError: no"
    assert (type(error), str(error)) == (ValueError, "no")
    assert remote_text(error).startswith("on engine 4 (rank 0, host node7), in f:\nTraceback (most recent call last):")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_it_raises_ends_the_call_alone(bench: Bench, kind: type[BaseException]) -> None:
    bench.send(Execute(1, f"raise {kind.__name__}('out')", "<execute 1>", False))
    done, error = bench.error()
    assert done.error == f"{kind.__name__}: out"
    assert isinstance(error, RemoteError)
    bench.apply(abs, -1)
    assert bench.value() == 1


@pytest.mark.parametrize(
    ("message", "frames", "text"),
    [
        (Pull(1, ("nothing",), True), [], "NameError: name 'nothing' is not defined on this engine"),
        (Execute(1, "1 +", "<execute 1>", False), [], "SyntaxError: invalid syntax (<execute 1>, line 1)"),
        (Push(1, ("a", "b")), [b"nonsense"], "SerializeError: what was pushed as a, b cannot be rebuilt here: UnpicklingError"),
        (
            Apply(1, CLIENT, b"f", 1, "mine", 0, False, 0.0),
            [b"x", b""],
            "SerializeError: the function mine cannot be found or rebuilt on the engine",
        ),
    ],
)
def test_what_is_wrong_with_a_command_is_named(bench: Bench, message: Message, frames: list[Frame], text: str) -> None:
    bench.send(message, frames)
    assert bench.error()[0].error.startswith(text)


def test_a_result_that_cannot_be_pickled_is_an_error_that_names_the_call(bench: Bench) -> None:
    bench.send(Execute(1, "import threading; lock = threading.Lock()", "<execute 1>", False))
    bench.value()
    bench.send(Pull(2, ("lock",), True))
    done, error = bench.error()
    assert isinstance(error, SerializeError)
    assert done.error.startswith("SerializeError: the result of pull lock cannot be pickled")


def test_an_executed_value_that_cannot_be_pickled_stays_there(bench: Bench) -> None:
    bench.send(Execute(1, "import threading; threading.Lock()", "<execute 1>", False))
    value = bench.value()
    assert isinstance(value, KeptThere)
    assert "lock object" in repr(value)
    bench.send(Execute(2, "_.locked()", "<execute 2>", False))
    assert bench.value() is False


# tasks ------------------------------------------------------------------------------------------------------------------


def test_a_good_task_goes_to_the_client_and_its_sender_is_told(bench: Bench) -> None:
    bench.apply(abs, -1, task=True)
    assert bench.value() == 1
    [(_, released, frames)] = bench.others[TASK].poll()
    assert isinstance(released, Released)
    assert (released.task, released.attempt, list(frames)) == (1, 1, [])


def test_a_failed_task_goes_to_its_sender_alone(bench: Bench) -> None:
    bench.apply(fail, "no", task=True)
    bench.run()
    [(_, failed, frames)] = bench.others[TASK].poll()
    assert isinstance(failed, Failed)
    assert (failed.attempt, failed.done.error) == (1, "ValueError: no")
    assert isinstance(rebuild(frames, 4), ValueError)
    assert bench.others[CLIENT].poll() == []


def test_what_the_worlds_end_cut_short_is_not_told(bench: Bench) -> None:
    bench.send(Stop(0, "the end"))
    bench.apply(fail, "interrupted")
    assert not bench.runner.run_next()
    bench.loop.turn()
    assert bench.others[CLIENT].poll() == []
    assert bench.runner.state.running is None


# output -----------------------------------------------------------------------------------------------------------------


def test_what_a_call_prints_comes_with_its_end(bench: Bench) -> None:
    bench.send(Execute(1, "import sys; print('out'); print('err', file=sys.stderr)", "<execute 1>", False))
    bench.run()
    done = bench.answer().message
    assert isinstance(done, Done)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_what_is_to_be_streamed_comes_before_the_end(bench: Bench) -> None:
    bench.apply(print, "hello", stream=True)
    bench.run()
    shown, done = (arrival.message for arrival in bench.others[CLIENT].poll())
    assert shown == OutputMessage(1, 4, "stdout", "hello\n")
    assert isinstance(done, Done)


# one call after the other -----------------------------------------------------------------------------------------------


def test_a_call_waits_until_the_arrays_of_the_last_result_have_left(bench: Bench) -> None:
    """They are sent from the memory in which the namespace has them, and the next call may write to it."""
    bench.send(Push(1, ("a",)), dump((numpy.zeros(1000),)))
    bench.value()
    bench.send(Pull(2, ("a",), True))
    bench.send(Execute(3, "a += 1", "<execute 1>", False))
    bench.transport.idle = False
    bench.run()
    assert not bench.runner.run_next()
    bench.transport.idle = True
    bench.run()


def test_a_call_does_not_wait_for_results_without_arrays(bench: Bench) -> None:
    bench.apply(abs, -1)
    bench.apply(abs, -2)
    bench.transport.idle = False
    bench.run()
    assert bench.runner.ready


def test_a_call_of_the_engine_runs_in_this_thread_only_while_it_runs(bench: Bench) -> None:
    seen: list[bool] = []
    bench.runner.namespace.push(("look",), (lambda: seen.append(bench.runner.in_this_thread),))
    assert not bench.runner.in_this_thread
    bench.send(Execute(1, "look()", "<execute 1>", False))
    bench.value()
    assert seen == [True]
    assert not bench.runner.in_this_thread


def test_the_namespace_becomes_the_main_module(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    become_main(bench.runner.namespace)
    bench.send(Execute(1, "import __main__\nx = 5\n__main__.x", "<execute 1>", False))
    assert bench.value() == 5
