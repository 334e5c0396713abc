"""The line of tasks that wait: who goes next, whatever is taken out of its middle."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from mpikernel.interfaces.task.entries import Batch, Stretch, Task
from mpikernel.interfaces.task.waiting import FEW, Line
from mpikernel.wire.messages import Submit, SubmitBatch
from mpikernel.wire.terms import Terms

ANY = ()


def task(number: int, priority: int = 0, targets: tuple[int, ...] = ANY) -> Task:
    submit = Submit(number, b"f", 0, "f", 1.0, False, Terms(targets, priority=priority), 0)
    return Task(submit, 1, [b"code"], [b"%d" % number], targets, targets)


def stretch(first: int, count: int, priority: int = 0, targets: tuple[int, ...] = ANY) -> Stretch:
    """Consecutive tasks, each with its number as its arguments."""
    pieces = [b"%8d" % number for number in range(first, first + count)]
    ends = array("I", range(8, 8 * count + 8, 8))
    submit = SubmitBatch(first, count, b"f", 0, "f", 1.0, ends.tobytes(), Terms(targets, priority=priority), 0)
    numbers = range(first, first + count)
    return Stretch(Batch(submit, 1, [b"code"], b"".join(pieces), ends, 1.0, set(numbers), targets, ()), numbers)


def taken(line: Line, count: int = 1000, targets: tuple[int, ...] = ANY) -> list[range]:
    """What goes to engines until nothing waits."""
    given = []
    while targets in line.queues:
        given.append(line.take_first(targets, count).numbers)
        line.check()
    return given


def test_a_task_in_the_middle_is_taken_out_and_the_others_keep_their_order() -> None:
    line = Line()
    for number in range(5):
        line.put_last(task(number))
    assert [one.submit.task for one in line.take_out({2, 7})] == [2]
    line.check()
    assert taken(line) == [range(number, number + 1) for number in (0, 1, 3, 4)]


def test_what_was_taken_out_and_waits_again_is_there_once() -> None:
    line = Line()
    for number in range(3):
        line.put_last(task(number))
    [back] = line.take_out({1})
    line.put_last(back)
    assert taken(line) == [range(1), range(2, 3), range(1, 2)]


def test_tasks_taken_out_of_a_batch_are_not_among_those_that_are_handed_out() -> None:
    line = Line()
    line.put_last(stretch(0, 10))
    line.put_last(task(20))
    out = line.take_out({3, 4, 7})
    line.check()
    assert [(one.submit.task, bytes(one.arguments[0])) for one in out] == [(3, b"       3"), (4, b"       4"), (7, b"       7")]
    assert [one.numbers for one in line] == [range(3), range(5, 7), range(8, 10), range(20, 21)]
    assert line.queues[ANY].count == 8
    assert taken(line, 2) == [range(2), range(2, 3), range(5, 7), range(8, 10), range(20, 21)]
    assert not line


def test_a_batch_of_which_nothing_is_left_is_not_in_the_line() -> None:
    line = Line()
    line.put_last(stretch(0, 3))
    for number in (1, 0, 2):
        assert [one.submit.task for one in line.take_out({number})] == [number]
        line.check()
    assert not line
    assert line.take_out({0, 1, 2}) == []


def test_what_is_taken_out_comes_in_the_order_in_which_it_waited() -> None:
    line = Line()
    line.put_last(stretch(10, 3))
    line.put_last(task(5))
    line.put_first(task(30))
    assert [one.submit.task for one in line.take_out({5, 30, 12, 10})] == [30, 10, 12, 5]


def test_priorities_of_which_nothing_waits_any_more_are_forgotten() -> None:
    line = Line()
    line.put_last(task(0, priority=10**6))
    for number in range(1, 10 * FEW):
        line.put_last(task(number, priority=number))
        line.take_out({number})
        line.check()
    line.put_last(task(5, priority=5))
    assert taken(line) == [range(1), range(5, 6)]


def test_a_priority_that_was_empty_has_its_turn_when_it_has_tasks_again() -> None:
    line = Line()
    for number, priority in enumerate((1, 3, 2)):
        line.put_last(task(number, priority))
    line.take_out({1, 2})
    line.put_last(task(3, 2))
    line.put_last(task(4, 3))
    assert taken(line) == [range(4, 5), range(3, 4), range(1)]


def test_whatever_has_some_of_consecutive_tasks_is_found() -> None:
    line = Line()
    line.put_last(stretch(0, 200))
    line.put_last(task(200))
    line.put_last(stretch(201, 5, targets=(1,)))
    line.take_out({60, 100})
    assert sorted(one.numbers.start for one in line.among(range(100, 202))) == [101, 200, 201]
    assert list(line.among(range(300, 400))) == []


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("single"), st.booleans(), st.integers(-1, 1)),
        st.tuples(st.just("batch"), st.integers(1, 150), st.integers(-1, 1)),
        st.tuples(st.just("take"), st.integers(1, 40), st.none()),
        st.tuples(st.just("out"), st.sets(st.integers(0, 400), max_size=30), st.none()),
    ),
    max_size=30,
)


@given(EVENTS)
@settings(max_examples=200)
def test_the_order_is_that_of_a_plain_list(events: list[tuple]) -> None:
    line, model, number = Line(), list[tuple[int, int, int]](), 0  # priority, place, task
    for place, (kind, what, priority) in enumerate(events):
        if kind == "single":
            (line.put_first if what else line.put_last)(task(number, priority))
            model.append((-priority, -place if what else place, number))
            number += 1
        elif kind == "batch":
            line.put_last(stretch(number, what, priority))
            model += [(-priority, place, each) for each in range(number, number + what)]
            number += what
        elif kind == "out":
            assert {one.submit.task for one in line.take_out(what)} == {row[2] for row in model if row[2] in what}
            model = [row for row in model if row[2] not in what]
        elif model:
            given = line.take_first(ANY, what).numbers
            assert 1 <= len(given) <= what
            assert list(given) == [row[2] for row in model[: len(given)]]
            del model[: len(given)]
        model.sort()
        line.check()
        assert [each for one in line.in_order for each in one.numbers] == [row[2] for row in model]
