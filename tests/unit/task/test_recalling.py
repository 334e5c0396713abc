"""Who has nothing to do gets what others have not begun, in whatever order they were given it and wherever it may go."""

from __future__ import annotations

from mpikernel.interfaces.task.entries import Stretch
from mpikernel.interfaces.task.seats import STUCK, Seat
from mpikernel.wire.messages import NOBODY, Released, Withdraw, Withdrawn
from mpikernel.wire.terms import PLAIN, Terms
from tests.unit.task.bench import FIRST, LATER, RANKS, SECOND, Bench

LONG = 10.0  # seconds
THIRD = SECOND + 1


def asked(bench: Bench, rank: int) -> list[tuple[int, ...]]:
    """What an engine has been asked to give back since the last time."""
    return [message.tasks for message in bench.out.take_messages(rank) if isinstance(message, Withdraw) and message.client == NOBODY]


def give_back(bench: Bench, engine: int, *dropped: int, kept: tuple[int, ...] = ()) -> None:
    bench.react(RANKS[engine], Withdrawn(dropped, kept, NOBODY))


def end_first(bench: Bench, engine: int) -> None:
    """An engine ends what it has run of a batch."""
    [stretch] = [entry for entry in bench.held(engine) if isinstance(entry, Stretch)]
    bench.end_stretch(engine, stretch)


def test_it_is_asked_for_in_the_order_in_which_it_was_given() -> None:
    bench = Bench()
    bench.submit_batch_on(PLAIN, 0, 2)  # they run from now on
    bench.submit(2, 3)
    bench.out.mail.clear()
    end_first(bench, 1)
    bench.end_well(1, 3)
    assert asked(bench, FIRST) == [(2,)]
    give_back(bench, 0, 2)
    assert bench.given(SECOND) == [2]


def test_it_comes_back_in_the_order_in_which_it_was_given() -> None:
    bench = Bench("lru")
    low, high = Terms(targets=(0,), priority=1), Terms(targets=(0,))
    for number in (5, 3, 4):
        bench.submit_on(high, number)
    bench.submit_on(low, 1)
    assert bench.given(FIRST) == [5, 3]
    seat = bench.state.seats[0]
    seat.asked.update(seat.given)
    give_back(bench, 0, 3, 5)
    assert bench.given(FIRST) == [1, 5]
    assert [number for entry in bench.state.waiting for number in entry.numbers] == [3, 4]


def test_an_answer_says_nothing_of_what_was_given_after_the_question() -> None:
    bench = Bench()
    bench.submit(0, 1, 10, 11)
    assert bench.given(FIRST) == [0, 10]
    bench.out.mail.clear()
    bench.end_well(1, 1)
    bench.end_well(1, 11)
    assert asked(bench, FIRST) == [(10,)]
    bench.end_well(0, 0)
    bench.submit_on(Terms(targets=(1,)), 20)
    bench.submit(21)
    assert 21 in bench.given(FIRST)
    give_back(bench, 0, kept=(10,))
    bench.out.mail.clear()
    bench.end_well(1, 20)
    assert asked(bench, FIRST) == [(21,)]
    give_back(bench, 0, 21)
    assert bench.given(SECOND) == [21]


def test_what_only_some_may_have_is_asked_for_although_what_all_may_have_has_begun() -> None:
    bench = Bench()
    bench.state.seats.append(Seat(THIRD, "c"))
    bench.submit_on(Terms(targets=(1,)), 10, 11)
    bench.submit_on(Terms(targets=(2,)), 20, 21)
    bench.submit(0)
    bench.submit_on(Terms(targets=(0, 2)), 1)
    assert bench.given(FIRST) == [0, 1]
    for rank, number in ((SECOND, 10), (SECOND, 11), (THIRD, 20), (THIRD, 21)):
        bench.react(rank, Released(number, 1, 1.0, LATER))
    assert asked(bench, FIRST) == [(0,)]
    give_back(bench, 0, kept=(0,))
    assert asked(bench, FIRST) == [(1,)]
    give_back(bench, 0, 1)
    assert bench.given(THIRD)[-1:] == [1]


def test_nobody_is_asked_twice_for_what_has_begun() -> None:
    bench = Bench()
    bench.submit(0, 1, 2, 3)
    bench.out.mail.clear()
    bench.end_well(1, 1)
    bench.end_well(1, 3)
    assert asked(bench, FIRST) == [(2,)]
    give_back(bench, 0, kept=(2,))
    bench.pass_time(LONG)
    assert asked(bench, FIRST) == []
    bench.submit_on(Terms(targets=(1,)), 7)
    bench.end_well(1, 7)
    assert asked(bench, FIRST) == []


def test_a_task_that_waits_behind_a_call_from_elsewhere_goes_to_another_engine() -> None:
    bench = Bench()
    bench.submit(0)
    assert bench.given(FIRST) == [0]
    bench.pass_time(STUCK / 2)
    assert asked(bench, FIRST) == []
    bench.pass_time(STUCK)
    assert asked(bench, FIRST) == [(0,)]
    give_back(bench, 0, 0)
    assert bench.given(SECOND) == [0]
    bench.end_well(1, 0)
    bench.submit(1)
    assert bench.given(SECOND) == [1], "it is still kept there"
    bench.submit_on(Terms(targets=(0,)), 2)
    bench.end_well(0, 2)
    bench.submit(3)
    assert bench.given(FIRST) == [2, 3]


def test_a_long_task_is_asked_for_once() -> None:
    bench = Bench()
    bench.submit(0)
    bench.pass_time(LONG)
    assert asked(bench, FIRST) == [(0,)]
    give_back(bench, 0, kept=(0,))
    bench.pass_time(LONG)
    assert asked(bench, FIRST) == []


def test_what_needs_an_engine_for_itself_gets_one_although_others_could_keep_all_busy() -> None:
    bench = Bench()
    bench.submit_batch_on(Terms(targets=(0, 1)), 0, 40)
    bench.submit_on(Terms(priority=1, queue_timeout=LONG), 50)
    bench.out.take(FIRST), bench.out.take(SECOND)
    [stretch] = bench.held(0)
    assert isinstance(stretch, Stretch)
    first, second = (Stretch(stretch.whole, range(number, number + 1)) for number in stretch.numbers)
    bench.end_stretch(0, first)
    assert not bench.out.take(FIRST), "it was given more, and would never have nothing"
    bench.end_stretch(0, second)
    assert bench.given(FIRST) == [50]
