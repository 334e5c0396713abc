"""The terms of tasks: what is urgent goes first, what waits too long ends, and what is to be interrupted is not tried again."""

from __future__ import annotations

import pytest

from mpikernel.errors import QueueTimeoutError
from mpikernel.ledger.records import ABORTED, ERROR
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.failure import rebuild
from mpikernel.wire.messages import NOBODY, Cancelled, CancelTasks, Done, Failed, Seized, Withdraw, Withdrawn
from mpikernel.wire.terms import Terms
from tests.unit.task.bench import CLIENT, FIRST, LATER, SECOND, Bench

URGENT, LOW = Terms(priority=5), Terms(priority=-1)


def test_what_is_urgent_goes_first() -> None:
    bench = Bench()
    bench.fill()
    bench.submit_on(LOW, 1)
    bench.submit(2)
    bench.submit_on(URGENT, 3, 4)
    for number in (900, 902):
        bench.end_well(0, number)
    for number in (901, 903):
        bench.end_well(1, number)
    assert (bench.given(FIRST), bench.given(SECOND)) == ([3, 4], [2, 1])


def test_what_is_urgent_goes_first_whatever_its_targets() -> None:
    bench = Bench()
    bench.fill()
    bench.submit(1)
    bench.submit_on(Terms((0,), priority=1), 2)
    bench.end_well(0, 900)
    assert bench.given(FIRST) == [2]


def test_what_comes_back_keeps_its_priority() -> None:
    bench = Bench()
    bench.submit_on(Terms((0,), retries=1, priority=1), 1)
    bench.submit_on(Terms((0,)), 2, 3, 4)
    bench.out.mail.clear()
    bench.fail(0, FIRST, 1)
    assert bench.given(FIRST) == [1]


def test_batches_are_urgent_too() -> None:
    bench = Bench()
    bench.fill()
    bench.submit_batch_on(Terms(), 10, 2)
    bench.submit_batch_on(URGENT, 20, 2)
    bench.end_well(0, 900)
    bench.end_well(0, 902)
    assert bench.given_batches(FIRST) == [range(20, 21), range(21, 22)]


def test_what_waits_too_long_ends_with_an_error_that_names_it() -> None:
    bench = Bench()
    bench.fill()
    bench.submit_on(Terms(queue_timeout=2.5), 7)
    bench.submit(8)
    bench.pass_time(2.4)
    assert not bench.ends()
    bench.pass_time(0.1)
    [(done, frames, *_)] = bench.out.take(CLIENT)
    assert isinstance(done, Done)
    assert (done.call, done.status, done.engine) == (7, ERROR, -1)
    with pytest.raises(QueueTimeoutError, match=r"f \(task 7\) had not begun when its queue_timeout of 2.5 s was over"):
        raise rebuild(frames, -1)
    assert bench.recorded()[7].status == ERROR
    assert [entry.numbers.start for entry in bench.state.waiting] == [8]


def test_only_what_waits_of_a_batch_is_too_late() -> None:
    bench = Bench()
    bench.submit_batch_on(Terms(queue_timeout=1.0), 10, 6)
    held = {number for rank in (FIRST, SECOND) for numbers in bench.given_batches(rank) for number in numbers}
    bench.pass_time(3.0)
    assert bench.ends().keys() == set(range(10, 16)) - held
    assert len(held) == 2, "they are given one by one, to engines that have nothing else"


def test_what_an_engine_gives_back_too_late_has_waited_too_long() -> None:
    bench = Bench()
    bench.submit_on(Terms((0,), queue_timeout=1.0), 1, 2, 3)
    bench.pass_time(2.0)
    assert bench.ends().keys() == {2, 3}
    bench.react(FIRST, Withdrawn((1,), (), NOBODY))
    bench.submit_on(Terms((0,), priority=1), 4)
    bench.out.mail.clear()
    bench.pass_time(1.0)
    assert not bench.ends(), "it was handed out again before anybody looked"


def test_a_next_try_is_never_too_late() -> None:
    bench = Bench()
    bench.submit_on(Terms((0,), retries=1, queue_timeout=1.0), 1)
    bench.submit_on(Terms((0,)), 2, 3)
    bench.fail(0, FIRST, 1)
    bench.pass_time(10.0)
    assert not bench.ends()


def test_nobody_looks_at_what_waits_without_limits() -> None:
    bench = Bench()
    bench.fill()
    bench.submit(*range(10))
    assert bench.state.look == float("inf")


def test_a_run_that_was_interrupted_is_not_tried_again() -> None:
    bench = Bench()
    bench.submit_on(Terms(retries=3), 7)
    bench.react(CLIENT, CancelTasks((7,), interrupt=True))
    assert bench.out.take_messages(FIRST)[1:] == [Withdraw((7,), CLIENT, interrupt=True)]
    bench.react(FIRST, Withdrawn((), (7,), CLIENT))
    assert bench.out.take_messages(CLIENT) == [Cancelled((), (7,))]
    done = Done(7, 0, ABORTED, 1.0, 2.0, "out", "", "KeyboardInterrupt")
    bench.react(FIRST, Failed(1, done, rejected=False), [b"description"])
    assert bench.out.take(CLIENT) == [Parcel(done, [b"description"])]
    record = bench.recorded()[7]
    assert (record.status, record.engine, record.error) == (ABORTED, 0, "KeyboardInterrupt")
    bench.out.assert_silent()


def test_what_fails_by_itself_just_before_it_is_interrupted_is_not_tried_again() -> None:
    bench = Bench()
    bench.submit_on(Terms(retries=3), 7)
    bench.react(CLIENT, CancelTasks((7,), interrupt=True))
    bench.react(FIRST, Withdrawn((), (7,), CLIENT))
    bench.out.mail.clear()
    done = bench.fail(0, FIRST, 7)
    assert bench.ends() == {7: done}
    assert not bench.state.unwanted


def test_what_an_engine_gives_back_before_it_hears_that_it_is_unwanted_is_dropped() -> None:
    bench = Bench()
    bench.submit(1, 2, targets=(0,))
    bench.react(CLIENT, CancelTasks((2,), interrupt=True))
    bench.out.mail.clear()
    bench.react(FIRST, Withdrawn((2,), (), NOBODY))
    assert not bench.given(FIRST)
    bench.react(FIRST, Withdrawn((), (2,), CLIENT))
    nothing, done, answer = bench.out.take_messages(CLIENT)
    assert isinstance(done, Done)
    assert (done.call, done.status) == (2, ABORTED)
    assert (nothing, answer) == (Cancelled((), ()), Cancelled((2,), ()))
    assert not bench.state.resting


def test_a_run_that_took_too_long_counts_as_any_failure() -> None:
    bench = Bench()
    bench.submit_on(Terms(retries=1, timeout=0.5), 7)
    bench.out.mail.clear()
    done = Done(7, 0, ERROR, 1.0, LATER, "", "", "TaskTimeoutError: too long")
    bench.react(FIRST, Failed(1, done, rejected=False), [b"description"])
    assert bench.given(FIRST) == [7]


def give_up(bench: Bench, number: int, status: str) -> None:
    """The first engine sits in a task, which it gives up."""
    bench.react(FIRST, Seized(0, True))
    done = Done(number, 0, status, 1.0, LATER, "", "", "it sits in comm.Barrier()")
    bench.react(FIRST, Failed(1, done, rejected=False), [b"description"])


def test_a_task_that_was_given_up_in_time_is_tried_on_another_engine_and_its_own_gets_nothing_until_it_is_free() -> None:
    bench = Bench()
    bench.submit(1, retries=1)
    bench.submit(2, targets=(0,))
    bench.out.mail.clear()
    give_up(bench, 1, "error")
    assert bench.out.take_messages(FIRST) == [Withdraw((1, 2), NOBODY, interrupt=False)]
    assert bench.given(SECOND) == [1]
    bench.react(FIRST, Withdrawn((2,), (1,), NOBODY))
    bench.submit(3)
    assert (bench.given(FIRST), bench.given(SECOND)) == ([], [3])
    bench.react(FIRST, Seized(0, False))
    assert bench.given(FIRST) == [2]


def test_a_task_that_was_aborted_and_given_up_is_not_tried_again() -> None:
    bench = Bench()
    bench.submit(1, retries=5)
    bench.react(CLIENT, CancelTasks((1,), interrupt=True))
    bench.react(FIRST, Withdrawn((), (1,), CLIENT))
    bench.out.mail.clear()
    give_up(bench, 1, "aborted")
    [done] = bench.ends().values()
    assert (done.status, done.error) == ("aborted", "it sits in comm.Barrier()")
    assert not bench.given(SECOND)
    assert bench.recorded()[1].status == ABORTED
