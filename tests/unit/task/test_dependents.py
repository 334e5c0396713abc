"""Tasks that need others: they wait, are lined up when those have ended, or end at once when they cannot run any more."""

from __future__ import annotations

import pytest

from mpikernel.errors import ImpossibleDependency
from mpikernel.wire.failure import rebuild
from mpikernel.wire.messages import Apply, CancelTasks, Done, RunBatch, Submit
from mpikernel.wire.terms import Needs, Terms
from tests.unit.task.bench import CLIENT, FIRST, SECOND, Bench


def needs(
    *open_: tuple[int, int],
    every: bool = True,
    success: bool = True,
    failure: bool = False,
    met: bool = False,
    unmet: str = "",
    engines: tuple[int, ...] = (),
) -> Needs:
    return Needs(open_, every, success, failure, met, unmet, engines)


def after(*open_: tuple[int, int], every: bool = True, **how: bool) -> Terms:
    return Terms(after=needs(*open_, every=every, **how))


def follow(*open_: tuple[int, int], every: bool = True, targets: tuple[int, ...] = (), engines: tuple[int, ...] = ()) -> Terms:
    return Terms(targets, follow=needs(*open_, every=every, engines=engines, met=bool(engines)))


def lost(bench: Bench) -> dict[int, str]:
    """Tasks that have become impossible since the last time, and why."""
    return {number: done.error for number, done in bench.ends().items() if "ImpossibleDependency" in done.error}


def test_a_task_begins_when_all_that_it_needs_has_ended_well() -> None:
    bench = Bench()
    bench.submit(1, 2)
    bench.submit_on(after((1, 2)), 3)
    bench.out.mail.clear()
    bench.end_well(0, 1)
    assert not bench.state.waiting
    bench.end_well(1, 2)
    assert (bench.given(FIRST), bench.given(SECOND)) == ([3], [])
    assert not bench.state.parking


def test_one_may_be_enough() -> None:
    bench = Bench()
    bench.submit(1, 2)
    bench.submit_on(after((1, 2), every=False), 3)
    bench.out.mail.clear()
    bench.fail(0, FIRST, 1)
    assert not bench.given(FIRST)
    bench.end_well(1, 2)
    assert bench.given(FIRST) == [3]


def test_what_ended_before_the_client_had_heard_counts() -> None:
    bench = Bench()
    bench.submit(1, 2)
    bench.end_well(0, 1)
    bench.fail(1, SECOND, 2)
    bench.out.mail.clear()
    bench.submit_on(after((1, 1)), 3)
    assert bench.given(FIRST) == [3]
    bench.submit_on(after((2, 1)), 4)
    assert lost(bench) == {4: "ImpossibleDependency: f (task 4) was to run after other tasks, but task 2 failed: ValueError: no"}


def test_what_cannot_run_any_more_ends_at_once_and_so_does_what_needs_it() -> None:
    bench = Bench()
    bench.submit(1)
    bench.submit_on(after((1, 1)), 2)
    bench.submit_on(after((2, 1)), 3)
    bench.submit_batch_on(after((3, 1)), 10, 3)
    bench.submit_on(after((10, 3), success=False, failure=True), 20)
    bench.out.mail.clear()
    bench.fail(0, FIRST, 1)
    ends = bench.out.take(CLIENT)
    assert [parcel.message.call for parcel in ends if isinstance(parcel.message, Done)] == [1, 2, 3, 10, 11, 12]
    with pytest.raises(ImpossibleDependency, match=r"f \(task 2\) was to run after other tasks, but task 1 failed: ValueError: no"):
        raise rebuild(ends[1].frames, -1)
    assert "f (tasks 10 to 12) was to run after other tasks, but task 3 failed: ImpossibleDependency" in str(rebuild(ends[3].frames, -1))
    assert bench.given(FIRST) == [20]
    assert not bench.state.batches


def test_a_long_chain_of_what_cannot_run_ends() -> None:
    bench = Bench()
    bench.submit(0)
    for number in range(1, 1500):
        bench.react(CLIENT, Submit(number, b"f", 0, "f", 5.0, False, after((number - 1, 1)), 0), [b"args"], checked=False)
    bench.fail(0, FIRST, 0)
    assert bench.ends().keys() == set(range(1500))
    assert not bench.state.parking


def test_cancelling_counts_as_failing() -> None:
    bench = Bench()
    bench.fill()
    bench.submit(1)
    bench.submit_on(after((1, 1)), 2)
    bench.react(CLIENT, CancelTasks((1,), interrupt=False))
    assert "but task 1 was cancelled" in lost(bench)[2]


def test_what_waits_for_others_can_be_cancelled_and_can_be_too_late() -> None:
    bench = Bench()
    bench.submit(1)
    bench.submit_batch_on(after((1, 1)), 10, 4)
    bench.submit_on(Terms(queue_timeout=1.0, after=needs((1, 1))), 20)
    bench.react(CLIENT, CancelTasks((11, 12), interrupt=False))
    assert bench.ends().keys() == {11, 12}
    bench.pass_time(1.0)
    assert "QueueTimeoutError" in bench.ends()[20].error
    bench.out.mail.clear()
    bench.end_well(0, 1)
    assert sorted(number for rank in (FIRST, SECOND) for each in bench.given_batches(rank) for number in each) == [10, 13]


def test_a_batch_waits_for_a_batch_and_costs_no_more_if_that_is_large() -> None:
    bench = Bench()
    bench.submit_batch_on(Terms(), 1000, 200)
    bench.submit_batch_on(after((1000, 200), (5000, 10**6)), 300, 2)
    bench.submit_batch_on(after((1000, 200)), 400, 2)
    nodes = sum(map(len, bench.state.parking._nodes.values()))
    assert nodes < 300
    bench.end_batches()
    assert [parked.entries[0].numbers for parked in bench.state.parking.parked] == [range(300, 302)]
    assert 400 not in bench.state.batches


def test_following_is_going_to_the_same_engine() -> None:
    bench = Bench()
    bench.submit(1, targets=(1,))
    bench.submit_on(follow((1, 1)), 2)
    bench.submit_batch_on(follow((1, 1)), 10, 1)
    bench.out.mail.clear()
    bench.end_well(1, 1)
    assert bench.given(FIRST) == []
    assert [message.call for message in bench.out.take_messages(SECOND) if isinstance(message, Apply | RunBatch)] == [2, 10]


def test_following_several_that_ran_on_several_engines() -> None:
    bench = Bench()
    bench.submit(1, 2)
    bench.submit_on(follow((1, 2)), 3)
    bench.end_well(0, 1)
    bench.end_well(1, 2)
    assert "was to follow other tasks, but they ran on engines 0, 1, not on one and the same" in lost(bench)[3]
    bench.submit_on(follow((1, 2), every=False, targets=(1,)), 4)
    assert bench.given(SECOND)[-1:] == [4]


def test_following_where_it_may_not_go() -> None:
    bench = Bench()
    bench.submit(1, targets=(0,))
    bench.submit_on(follow((1, 1), targets=(1,)), 2)
    bench.submit_on(follow((5, 1), every=False, targets=(1,), engines=(0,)), 3)
    bench.end_well(0, 1)
    assert "but they ran on engine 0, which is none of its targets" in lost(bench)[2]
    bench.submit(5, targets=(1,))
    bench.out.mail.clear()
    bench.end_well(1, 5)
    assert bench.given(SECOND) == [3]


def test_following_what_ran_nowhere() -> None:
    bench = Bench()
    bench.fill()
    bench.submit(1)
    bench.submit_on(Terms(follow=needs((1, 1), failure=True)), 2)
    bench.react(CLIENT, CancelTasks((1,), interrupt=False))
    assert "but they ran nowhere" in lost(bench)[2]


def test_what_the_client_knows_is_taken_as_it_says() -> None:
    bench = Bench()
    bench.submit_on(Terms(after=needs(met=True)), 1)
    assert bench.given(FIRST) == [1]
    bench.submit_on(Terms(after=needs(unmet="task 0 (g) failed: ValueError: no")), 2)
    assert "but task 0 (g) failed: ValueError: no" in lost(bench)[2]
    bench.submit_on(Terms(follow=needs(met=True, engines=(1,))), 3)
    assert bench.given(SECOND) == [3]
    bench.submit_on(Terms(after=needs(every=False)), 4)
    assert bench.given(FIRST) == [4]


def test_both_needs_are_to_be_met() -> None:
    bench = Bench()
    bench.submit(1, targets=(0,))
    bench.submit(2, targets=(1,))
    bench.submit_on(Terms(after=needs((1, 1)), follow=needs((2, 1))), 3)
    bench.out.mail.clear()
    bench.end_well(1, 2)
    assert bench.given(SECOND) == []
    bench.end_well(0, 1)
    assert bench.given(SECOND) == [3]


def test_a_refused_task_stays_where_it_follows() -> None:
    bench = Bench()
    bench.submit(1, targets=(0,))
    bench.submit_on(follow((1, 1)), 2)
    bench.end_well(0, 1)
    bench.out.mail.clear()
    bench.refuse(0, 2, "no")
    bench.pass_time(0.1)
    assert (bench.given(FIRST), bench.given(SECOND)) == ([2], [])
