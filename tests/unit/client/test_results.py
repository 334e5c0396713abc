"""What a call brings, and what cancelling does, through every role of a world in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from typing import Any

import pytest

from mpikernel.client.metadata import Metadata
from mpikernel.client.result import AsyncMapResult, AsyncResult
from mpikernel.engine.state import Job
from mpikernel.errors import ClosedError, CompositeError, TaskAborted, remote_text
from mpikernel.ledger.records import ABORTED, ERROR, OK, SUBMITTED
from mpikernel.testing.loopback import LoopbackWorld, call_it
from mpikernel.wire.messages import Keys, ScriptEnded
from mpikernel.wire.payload import dump
from mpikernel.wire.terms import PLAIN, Terms


def tasks(
    world: LoopbackWorld, function: Callable[..., Any], arguments: Sequence[Any], retries: int = 0, targets: tuple[int, ...] = ()
) -> AsyncMapResult:
    """One task for each argument; their values in a list."""
    result = AsyncMapResult(world.port, "f", assemble=list)
    frames = [dump(((argument,), {})) for argument in arguments]
    world.port.submit(result, "f", world.port.functions.get(function, "f"), frames, Terms(targets, retries), False)
    return result.launched()


def direct(
    world: LoopbackWorld, function: Callable[..., Any], argument: Any, targets: Sequence[int] = (0, 1), single: bool = False
) -> AsyncResult:
    """A call on each target."""
    result, port = AsyncResult(world.port, "f", single), world.port
    pickled, frames = port.functions.get(function, "f"), dump(((argument,), {}))
    port.command(result, "apply", "f", targets, lambda call, _index: port.apply_message(call, pickled, frames, False))
    return result.launched()


def statuses(world: LoopbackWorld) -> dict[int, str]:
    """How the ledger has each call."""
    world.pass_time(1.0)
    return {record.task: record.status for _, record in world.ledger.records()}


def inverse(x: float) -> float:
    return 1 / x


# values -----------------------------------------------------------------------------------------------------------------


def test_tasks_bring_their_values_in_order() -> None:
    world = LoopbackWorld(engines=3)
    result = tasks(world, abs, range(-20, 0))
    assert not result.done()
    world.run()
    assert result.done()
    assert result.result() == list(range(20, 0, -1))
    assert statuses(world) == dict.fromkeys(range(20), OK)
    assert {record.engine for _, record in world.ledger.records()} == {0, 1, 2}


def test_direct_calls_bring_one_value_for_each_engine() -> None:
    world = LoopbackWorld(perform=lambda number, job: number * 10)
    several, one = direct(world, abs, -1, targets=(1, 0)), direct(world, abs, -1, targets=(1,), single=True)
    world.run()
    assert (several.result(), one.result()) == ([10, 0], 10)
    assert several.get_dict() == {1: 10, 0: 0}
    assert statuses(world) == {0: OK, 1: OK, 2: OK}


def test_no_calls_are_done_at_once() -> None:
    world = LoopbackWorld()
    result = tasks(world, abs, [])
    assert result.done()
    assert result.result() == []


def test_progress_and_iteration_as_results_come() -> None:
    world = LoopbackWorld(engines=1)
    result = AsyncMapResult(world.port, "f", ordered=False, assemble=list)
    world.port.submit(result, "f", world.port.functions.get(divmod, "f"), [dump(((7, n), {})) for n in (2, 3)], PLAIN, False)
    result.launched()
    world.settle()
    world.begin(0)
    world.finish(0)
    world.settle()
    assert (result.progress, len(result), result.done()) == (1, 2, False)
    with pytest.raises(ValueError, match="is not done"):
        result.successful()
    with pytest.raises(TimeoutError, match=r"f is not done after 0 s: 1 of 2 calls have ended"):
        result.get(timeout=0)
    iterator = iter(result)
    assert next(iterator) == 3
    world.run()
    assert list(iterator) == [1, 2, 1]
    assert result.successful()


def test_callbacks_are_called_when_it_is_done_and_may_call_again() -> None:
    world = LoopbackWorld()
    results: list[AsyncResult] = []
    tasks(world, abs, [-1]).add_done_callback(lambda done: results.append(tasks(world, abs, [done.result()[0] * -5])))
    world.run()
    assert results[0].result() == [5]


def test_metadata_tell_where_and_when() -> None:
    world = LoopbackWorld()
    result = direct(world, inverse, 2, targets=(1,), single=True)
    before = result.metadata
    assert isinstance(before, Metadata)
    assert (before.status, before.started, before.received) == (None, None, None)
    world.settle()
    world.begin(1)
    world.clock.advance(2.0)
    world.finish(1)
    world.run()
    row = result.metadata
    assert isinstance(row, Metadata)
    assert (row.status, row.engine_id, row.rank, row.host, row.kind, row.label) == ("ok", 1, 4, "host4", "apply", "f")
    assert (row.started - row.submitted).total_seconds() == 2.0
    assert result.error is None


# failures ---------------------------------------------------------------------------------------------------------------


def test_a_failure_that_was_seen_before_all_of_it_had_ended_is_no_news_at_the_end() -> None:
    world = LoopbackWorld(engines=1)
    result = AsyncMapResult(world.port, "f", ordered=False, assemble=list)
    world.port.submit(result, "f", world.port.functions.get(inverse, "f"), [dump(((n,), {})) for n in (0, 1)], PLAIN, False)
    result.launched()
    world.settle()
    world.begin(0)
    world.finish(0)
    world.settle()
    with pytest.raises(ZeroDivisionError):
        next(iter(result))
    assert not result.done()
    world.run()
    assert world.client.left_over() == []


def test_one_failure_is_raised_as_what_it_was() -> None:
    world = LoopbackWorld()
    result = direct(world, inverse, 0, targets=(1,), single=True)
    world.run()
    with pytest.raises(ZeroDivisionError) as caught:
        result.get()
    assert remote_text(caught.value).startswith("on engine 1:")
    assert isinstance(result.exception(), ZeroDivisionError)
    assert not result.successful()
    assert statuses(world) == {0: ERROR}


def test_several_failures_are_a_composite() -> None:
    world = LoopbackWorld()
    result = tasks(world, inverse, [1, 0, 2, 0])
    world.run()
    with pytest.raises(CompositeError, match=r"f failed in 2 of 4 calls: \[engines 0, 1\] ZeroDivisionError|\[engine \d\] Zero"):
        result.get()
    assert statuses(world) == {0: OK, 1: ERROR, 2: OK, 3: ERROR}


def test_a_task_is_tried_again_as_often_as_was_asked_for() -> None:
    tries: list[int] = []

    def perform(number: int, job: Job) -> str:
        tries.append(number)
        if len(tries) < 3:
            raise ValueError("not yet")
        return "at last"

    world = LoopbackWorld(engines=1, perform=perform)
    result = tasks(world, abs, [1], retries=2)
    world.run()
    assert (result.get(), len(tries)) == (["at last"], 3)
    world.pass_time(1.0)
    [(_, record)] = world.ledger.records()
    assert (record.status, record.attempt) == (OK, 3)


def test_a_task_that_always_fails_brings_its_last_error() -> None:
    tries: list[int] = []

    def perform(number: int, job: Job) -> None:
        tries.append(number)
        raise ValueError(f"try {len(tries)}")

    world = LoopbackWorld(engines=1, perform=perform)
    result = tasks(world, abs, [1], retries=2)
    world.run()
    error = result.exception()
    assert isinstance(error, CompositeError)
    assert str(error.exceptions[0]) == "try 3"


# cancelling -------------------------------------------------------------------------------------------------------------


def test_what_has_not_begun_is_cancelled() -> None:
    world = LoopbackWorld()
    waiting, running = direct(world, abs, -1), tasks(world, abs, range(-9, 0))
    world.settle()
    with world.attended():
        assert waiting.cancel()
        assert running.cancel()
    assert waiting.cancelled()
    for result in (waiting, running):
        with pytest.raises(TaskAborted, match="f was cancelled before it began"):
            result.get()
    world.run()
    assert set(statuses(world).values()) == {ABORTED}


def test_what_has_begun_is_not() -> None:
    world = LoopbackWorld(engines=1)
    result = direct(world, inverse, 4, targets=(0,), single=True)
    world.settle()
    world.begin(0)
    with world.attended():
        assert not result.cancel()
    assert not result.done()
    world.finish(0)
    world.run()
    assert result.get() == 0.25
    assert not result.cancel(), "it is done"


def test_what_has_begun_in_part_is_not_said_to_be_cancelled() -> None:
    world = LoopbackWorld()
    result = direct(world, abs, -1)
    world.settle()
    world.begin(0)
    world.finish(0)
    world.settle()
    assert result.progress == 1
    with world.attended():
        assert not result.cancel()
    assert not result.cancelled()
    world.run()
    with pytest.raises(CompositeError, match=r"f failed in 1 of 2 calls: \[engine 1\] TaskAborted"):
        result.get()


def test_tasks_are_dropped_where_they_are_and_the_others_go_on() -> None:
    world = LoopbackWorld(engines=2)
    result = tasks(world, abs, range(-10, 0))
    world.settle()
    world.begin(0)
    with world.attended():
        result.abort()
    assert (result.progress, result.done()) == (9, False)
    world.run()
    assert result.done()
    error = result.exception()
    assert isinstance(error, CompositeError)
    assert len(error.exceptions) == 9
    counts = list(statuses(world).values())
    assert (counts.count(OK), counts.count(ABORTED)) == (1, 9)


def test_cancelling_twice_is_harmless() -> None:
    world = LoopbackWorld(engines=1)
    result = tasks(world, abs, [-1, -2, -3, -4])
    world.settle()
    with world.attended():
        result.abort()
        result.abort()
        assert result.cancel()
    world.run()
    assert world.client.open == {}


def test_two_threads_that_cancel_the_same_are_both_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = LoopbackWorld(engines=1)
    result = tasks(world, abs, [-1, -2, -3, -4])
    world.settle()
    nudge, answers = world.port.nudge, []

    def late() -> None:
        """The first has asked, and before that leaves the second asks too, and has gone when the first looks what came of it."""
        monkeypatch.setattr(world.port, "nudge", nudge)
        answers.append(world.port.cancel(*result.under_way()))

    monkeypatch.setattr(world.port, "nudge", late)
    with world.attended():
        answers.append(world.port.cancel(*result.under_way()))
    assert answers == [True, True]
    assert world.client.cancelling == []


# the end ----------------------------------------------------------------------------------------------------------------


def test_when_the_world_ends_whoever_waits_is_told() -> None:
    world = LoopbackWorld()
    result = direct(world, abs, -1)
    world.settle()
    world.loops[1].out.send(0, ScriptEnded(0))
    world.settle()
    with pytest.raises(ClosedError, match=r"the world is ending \(the script ended\); this call will not be finished"):
        result.get()
    with pytest.raises(ClosedError, match=r"the world is ending \(the script ended\); no call can be made any more"):
        direct(world, abs, -1)
    assert set(statuses(world).values()) == {SUBMITTED}


def test_a_world_in_one_process_asks_engines_only_what_they_can() -> None:
    world = LoopbackWorld()
    result = AsyncResult(world.port, "keys", True)
    world.port.command(result, "keys", "", (0,), lambda call, _index: (Keys(call.id), ()))
    world.settle()
    job = world.begin(0)
    assert job is not None
    with pytest.raises(AssertionError, match="is no call of a function"):
        call_it(0, job)


def test_a_result_has_all_that_a_future_of_this_python_has(world: LoopbackWorld) -> None:
    result = direct(world, abs, -1)
    assert all(hasattr(result, name) for name in vars(Future()))


def test_who_waits_by_the_means_of_futures_is_told_and_so_are_callbacks(world: LoopbackWorld) -> None:
    silent, told, watched = (tasks_one(world) for _ in range(3))
    heard: list[Future[Any]] = []
    told.add_done_callback(heard.append)
    world_runs = threading.Thread(target=world.run)
    world_runs.start()
    assert next(as_completed([watched])) is watched
    world_runs.join()
    assert [each.get() for each in (silent, told, watched)] == [1, 1, 1]
    assert heard == [told]
    silent.add_done_callback(heard.append)
    assert heard == [told, silent]


def test_whoever_keeps_a_condition_holds_up_no_other_result(world: LoopbackWorld) -> None:
    """As a signal handler does that raises within `concurrent.futures.wait`."""
    first, second, kept = (tasks_one(world) for _ in range(3))
    with kept._condition:
        running = threading.Thread(target=world.run)
        running.start()
        assert first.get(10) == second.get(10) == 1
        assert not kept.done()
    running.join()
    assert kept.get(10) == 1


def test_a_callback_does_not_wait_for_itself(world: LoopbackWorld) -> None:
    result = tasks_one(world)
    heard: list[bool] = []
    result.add_done_callback(lambda _: heard.append(result.told))
    world.run()
    assert heard == [True]
    result.wait_until_told()


def test_running_is_what_has_begun_for_certain(world: LoopbackWorld) -> None:
    several, one = direct(world, abs, -1), tasks_one(world)
    assert not several.running()
    world.settle()
    world.begin(0)
    world.finish(0)
    world.settle()
    assert several.running()
    assert not one.running()
    world.run()
    assert not several.running()
    assert (several.get(), one.get()) == ([1, 1], 1)


def tasks_one(world: LoopbackWorld) -> AsyncResult:
    """One task by itself."""
    result, port = AsyncResult(world.port, "f", True), world.port
    leaves = port.submit_single(result, "f", port.functions.get(abs, "f"), dump(((-1,), {})), PLAIN, False)
    return result.launched() if leaves else result
