"""Tasks that engines do not take: others are asked, the same ones again later, and in the end it is said why none takes them."""

from __future__ import annotations

import pytest

from mpikernel.errors import UnmetDependency
from mpikernel.interfaces.task.refusals import MOST_REFUSALS, PAUSE
from mpikernel.wire.failure import rebuild
from mpikernel.wire.messages import CancelTasks, Done, Failed
from mpikernel.wire.terms import Terms
from tests.unit.task.bench import CLIENT, FIRST, LATER, SECOND, Bench


def test_another_engine_is_asked_at_once() -> None:
    bench = Bench()
    bench.submit(7)
    assert bench.given(FIRST) == [7]
    bench.refuse(0, 7, "no gpu")
    assert (bench.given(FIRST), bench.given(SECOND)) == ([], [7])
    bench.end_well(1, 7)
    assert bench.recorded()[7].attempt == 1


def test_the_same_engine_is_asked_again_after_pauses_that_double() -> None:
    bench = Bench()
    bench.submit(7, targets=(0,))
    bench.out.mail.clear()
    bench.refuse(0, 7, "no")
    bench.pass_time(0.9 * PAUSE)
    assert bench.given(FIRST) == []
    bench.pass_time(0.1 * PAUSE)
    assert bench.given(FIRST) == [7]
    bench.refuse(0, 7, "no")
    bench.pass_time(1.9 * PAUSE)
    assert bench.given(FIRST) == []
    bench.pass_time(0.1 * PAUSE)
    assert bench.given(FIRST) == [7]


def test_a_task_that_nobody_takes_says_why_for_each_engine() -> None:
    bench = Bench()
    bench.submit(7)
    for _ in range(2 * MOST_REFUSALS):
        bench.out.take(FIRST), bench.out.take(SECOND)
        [engine] = [engine for engine, seat in enumerate(bench.state.seats) if 7 in seat.given]
        bench.refuse(engine, 7, f"no {'gpu' if engine else 'disk'}")
        bench.pass_time(10.0)
    [(done, frames, *_)] = bench.out.take(CLIENT)
    assert isinstance(done, Done)
    with pytest.raises(UnmetDependency, match=r"no engine takes f \(task 7\): engine 0: TaskReject: no disk; engine 1: TaskReject: no gpu"):
        raise rebuild(frames, -1)
    assert not bench.state.resting


def test_an_engine_that_refused_may_take_it_while_others_are_busy() -> None:
    bench = Bench()
    bench.fill()
    bench.submit(7)
    bench.end_well(0, 900)
    bench.end_well(0, 902)
    assert bench.given(FIRST) == [7]
    bench.refuse(0, 7, "not yet")
    assert (bench.given(FIRST), bench.given(SECOND)) == ([], [])
    bench.pass_time(PAUSE)
    assert bench.given(FIRST) == [7]


def test_others_are_not_held_up_by_it() -> None:
    bench = Bench()
    bench.submit(7, targets=(0,))
    bench.refuse(0, 7, "no")
    bench.out.mail.clear()
    bench.submit(8, 9, targets=(0,))
    assert bench.given(FIRST) == [8, 9]


def test_a_task_of_a_batch_that_is_refused_goes_on_by_itself() -> None:
    bench = Bench()
    bench.submit_batch_on(Terms((0,)), 10, 2)
    bench.out.mail.clear()
    bench.refuse(0, 11, "no")
    assert bench.state.resting.keys() == {11}
    bench.pass_time(PAUSE)
    assert bench.given(FIRST) == [11]


def test_what_rests_is_cancelled_and_can_be_too_late() -> None:
    bench = Bench()
    bench.submit_on(Terms((0,), queue_timeout=0.5 * PAUSE), 1)
    bench.submit(2, targets=(0,))
    bench.refuse(0, 1, "no")
    bench.refuse(0, 2, "no")
    bench.react(CLIENT, CancelTasks((2,), interrupt=False))
    assert bench.ends()[2].status == "aborted"
    bench.pass_time(0.5 * PAUSE)
    assert "QueueTimeoutError" in bench.ends()[1].error
    assert not bench.state.resting


def test_what_failed_is_tried_again_where_it_was_not_refused() -> None:
    bench = Bench()
    bench.submit(7, retries=1)
    bench.refuse(0, 7, "no gpu")
    bench.out.mail.clear()
    bench.react(SECOND, Failed(1, Done(7, 1, "error", 1.0, LATER, "", "", "ValueError: no"), rejected=False), [b"description"])
    assert (bench.given(FIRST), bench.given(SECOND)) == ([], [7])


def test_a_refused_task_that_is_to_be_interrupted_ends() -> None:
    bench = Bench()
    bench.submit(7)
    bench.react(CLIENT, CancelTasks((7,), interrupt=True))
    bench.refuse(0, 7, "no")
    assert bench.ends()[7].status == "aborted"
