"""Deadlines of tasks that wait: those that are due, in time, and those of tasks that have ended are not kept."""

from __future__ import annotations

from math import inf

from mpikernel.interfaces.task.deadlines import FEW, Deadlines
from mpikernel.wire.messages import NOBODY, Seized, Withdrawn
from mpikernel.wire.terms import Needs, Terms
from tests.unit.task.bench import FIRST, Bench


def none_has_ended(numbers: range) -> bool:
    return False


def test_nothing_is_due_while_nothing_waits() -> None:
    deadlines = Deadlines()
    assert deadlines.next == inf
    assert deadlines.take_due(1e9) == []


def test_what_is_due_is_taken_once_and_the_rest_stays() -> None:
    deadlines = Deadlines()
    for deadline, first in ((3.0, 30), (1.0, 10), (2.0, 20)):
        deadlines.put(deadline, range(first, first + 5), none_has_ended)
    assert deadlines.next == 1.0
    assert deadlines.take_due(2.0) == [range(10, 15), range(20, 25)]
    assert deadlines.take_due(2.0) == []
    assert deadlines.next == 3.0


def test_what_has_ended_is_forgotten_before_it_is_due() -> None:
    deadlines, asked = Deadlines(), 0

    def all_but_the_first_have(numbers: range) -> bool:
        nonlocal asked
        asked += 1
        return numbers.start > 0

    for number in range(100 * FEW):
        deadlines.put(1000.0 + number, range(number, number + 1), all_but_the_first_have)
        deadlines.check()
        assert len(list(deadlines)) <= FEW + 3
    assert asked <= 2 * 100 * FEW
    assert deadlines.next == 1000.0


def test_all_are_kept_that_have_not_ended_and_it_is_seldom_asked_whether_they_have() -> None:
    deadlines, asked = Deadlines(), 0

    def has_ended(numbers: range) -> bool:
        nonlocal asked
        asked += 1
        return False

    for number in range(100 * FEW):
        deadlines.put(float(number), range(number, number + 1), has_ended)
    assert asked <= 2 * 100 * FEW
    assert deadlines.take_due(inf) == [range(number, number + 1) for number in range(100 * FEW)]


def test_a_batch_has_one_deadline_however_many_tasks_it_has() -> None:
    bench = Bench()
    bench.submit_batch_on(Terms((0,), queue_timeout=1.0), 0, 1000)
    assert [numbers for _, numbers in bench.state.deadlines] == [range(1000)]
    bench.pass_time(1.0)
    assert sorted(bench.ends()) == list(range(1, 1000))  # the first is at an engine


def test_tasks_without_a_limit_have_none() -> None:
    bench = Bench()
    bench.submit(*range(5))
    bench.submit_batch_on(Terms(), 10, 5)
    assert not bench.state.deadlines
    assert bench.state.look == inf


def test_deadlines_of_many_tasks_that_end_at_once_are_not_kept() -> None:
    bench = Bench()
    for number in range(5 * FEW):
        bench.submit_on(Terms(queue_timeout=1e6), number)
        bench.end_well(0, number)
    assert len(list(bench.state.deadlines)) <= FEW + 1


def test_tasks_that_wait_are_ended_in_time_though_many_have_ended_since() -> None:
    bench = Bench()
    bench.submit(1)
    bench.submit_on(Terms((0,), queue_timeout=10.0), 2, 3)
    for number in range(100, 100 + 5 * FEW):
        bench.submit_on(Terms((1,), queue_timeout=1e6), number)
        bench.end_well(1, number)
    bench.pass_time(9.9)
    assert bench.ends() == {}
    bench.pass_time(0.1)
    assert bench.ends().keys() == {2, 3}


def test_a_task_that_comes_back_too_late_is_ended() -> None:
    bench = Bench()
    bench.submit_on(Terms((0,), queue_timeout=0.5), 1)
    bench.pass_time(1.0)
    assert bench.ends() == {}  # it is at the engine, and has begun there as far as anybody knows
    bench.react(FIRST, Seized(0, True))  # it had not, so it is asked for
    bench.react(FIRST, Withdrawn((1,), (), NOBODY))
    bench.pass_time(0.1)
    assert bench.ends().keys() == {1}


def test_what_is_parked_is_found_by_its_deadline_among_many() -> None:
    bench = Bench()
    bench.submit(1)
    after = Needs(((1, 1),), True, True, False, False, "", ())
    for number in range(10, 10 + 3 * FEW):
        bench.submit_on(Terms(queue_timeout=100.0 if number % 2 else 1.0, after=after), number)
    bench.submit_batch_on(Terms(queue_timeout=1.0, after=after), 1000, 100)
    bench.pass_time(1.0)
    assert sorted(bench.ends()) == [*range(10, 10 + 3 * FEW, 2), *range(1000, 1100)]
