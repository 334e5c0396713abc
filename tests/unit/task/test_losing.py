"""What the task interface does when an engine has died: nothing is lost, and only what was alone with it is given up for it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from mpikernel.interfaces.task.refusals import MOST_REFUSALS, PAUSE
from mpikernel.ledger.records import ERROR, OK
from mpikernel.wire.messages import Cancelled, CancelTasks, Done, EngineLost, Released, ReleasedBatch, Withdraw
from mpikernel.wire.terms import Needs, Terms
from tests.unit.task.bench import CLIENT, FIRST, LATER, RANKS, ROOM, SECOND, Bench


def lose(bench: Bench, engine: int, unended: Sequence[int], calls: int = 0) -> None:
    """The client tells that an engine has died, and which tasks it has not seen end."""
    bench.react(CLIENT, EngineLost(RANKS[engine], "killed", calls, array("q", unended).tobytes()))


def test_what_an_engine_had_runs_on_another_one_after_the_other() -> None:
    bench = Bench()
    bench.submit(*range(2 * ROOM), retries=0)
    bench.out.mail.clear()
    lose(bench, 0, range(2 * ROOM))
    assert bench.given(SECOND) == [], "they are alone with their engine, which has others"
    bench.end_well(1, 1)
    bench.end_well(1, 3)
    assert bench.given(SECOND) == [0]
    bench.end_well(1, 0)
    assert bench.given(SECOND) == [2]
    bench.end_well(1, 2)
    assert bench.recorded()[2].status == OK
    assert not bench.ends()


def test_the_dead_get_nothing() -> None:
    bench = Bench()
    lose(bench, 0, ())
    bench.submit(*range(5))
    bench.out.take_messages(SECOND)
    bench.out.assert_silent()


def test_what_waited_behind_what_kills_is_not_given_up() -> None:
    bench = Bench()
    bench.state.crash_limit = 1
    bench.submit(0, 1, targets=(0,))
    lose(bench, 0, (0, 1))
    errors = {number: done.error for number, done in bench.ends().items()}
    assert all(error.startswith("NoEnginesError") for error in errors.values()), "neither was alone, so neither is to blame"
    assert errors.keys() == {0, 1}


def test_a_task_that_was_alone_with_as_many_engines_as_the_limit_allows_is_given_up_and_named() -> None:
    bench = Bench()
    bench.state.crash_limit = 2
    bench.submit(7, retries=5)
    lose(bench, 0, (7,))
    assert bench.given(SECOND) == [7]
    lose(bench, 1, (7,))
    done = bench.ends()[7]
    assert done.status == ERROR
    assert done.error == (
        "CrashLimitError: f (task 7) is given up: its engine died 2 times while it ran (crash_limit): "
        "engine 0 (rank 3 on a) died: killed; engine 1 (rank 4 on b) died: killed"
    )
    assert bench.recorded()[7].attempt == 1, "none of them was a retry"


def test_nobody_is_given_up_for_a_death_that_a_direct_call_may_have_brought_about() -> None:
    bench = Bench()
    bench.state.crash_limit = 1
    bench.submit(7)
    lose(bench, 0, (7,), calls=1)
    assert bench.given(SECOND) == [7]


def test_what_has_come_to_the_client_is_not_run_again() -> None:
    bench = Bench()
    bench.submit_batch_on(Terms((0,)), 0, 1)
    bench.submit(5, targets=(0,))
    lose(bench, 0, ())
    assert bench.given(SECOND) == []
    records = bench.recorded()
    assert [records[number].status for number in (0, 5)] == [OK] * 2
    assert not bench.ends()


def test_a_result_that_was_lost_on_its_way_is_made_again_and_nobody_is_told_twice() -> None:
    bench = Bench()
    bench.submit(0)
    bench.submit_batch_on(Terms(), 1, 2)
    bench.submit_on(Terms(after=Needs(((0, 3),), True, True, False, False, "", ())), 3)
    bench.out.mail.clear()
    bench.react(FIRST, Released(0, 1, 1.0, LATER))
    bench.react(SECOND, ReleasedBatch(1, 1, 1, 1, array("d", [1.0, 2.0]).tobytes()))
    bench.end_batches()
    assert 3 in bench.given(FIRST) + bench.given(SECOND)
    lose(bench, 0, (0, 3))
    assert 0 in bench.given(SECOND) or 0 in [number for entry in bench.state.waiting for number in entry.numbers]
    bench.out.mail.clear()


def test_a_result_that_nobody_can_make_again_is_an_error() -> None:
    bench = Bench()
    bench.submit(0)
    bench.end_well(0, 0)
    bench.state.seats[0].recent.take_all()
    lose(bench, 0, (0,))
    assert (
        bench.ends()[0].error == "EngineDiedError: engine 0 (rank 3 on a) died: killed; the result of task 0 had not been taken and is lost"
    )


def test_a_wish_that_was_not_answered_is_answered() -> None:
    bench = Bench()
    bench.submit(0, 1, targets=(0,))
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((0, 1), interrupt=False))
    assert bench.out.take_messages(FIRST) == [Withdraw((0, 1), CLIENT, interrupt=False)]
    lose(bench, 0, (0, 1))
    messages = bench.out.take_messages(CLIENT)
    assert Cancelled((), (0, 1)) in messages, "whether they had begun nobody knows"
    ends = [message for message in messages if isinstance(message, Done)]
    assert [done.error.partition(":")[0] for done in ends] == ["EngineDiedError"] * 2


def test_what_is_to_be_interrupted_does_not_run_again() -> None:
    bench = Bench()
    bench.submit(0)
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((0,), interrupt=True))
    lose(bench, 0, (0,))
    assert bench.given(SECOND) == []
    assert bench.ends()[0].error.startswith("EngineDiedError: engine 0 (rank 3 on a) died: killed; it had f (task 0)")


def test_tasks_whose_engines_are_all_dead_end_and_say_so() -> None:
    bench = Bench()
    bench.fill()
    bench.submit(0, targets=(0,))
    bench.submit(1, targets=(0, 1))
    lose(bench, 0, range(901))
    assert bench.ends()[0].error == "NoEnginesError: f (task 0) may run nowhere else, but engine 0 (rank 3 on a) died: killed"
    bench.submit(2, targets=(0,))
    assert bench.ends()[2].error.startswith("NoEnginesError: f (task 2) may run nowhere else")


def test_where_no_engine_is_left_everything_ends() -> None:
    bench = Bench()
    lose(bench, 0, ())
    lose(bench, 1, ())
    bench.submit(0)
    bench.submit_batch_on(Terms(), 1, 2)
    ends = bench.ends()
    assert ends.keys() == {0, 1, 2}
    assert ends[1].error.startswith("NoEnginesError: f (task 1) cannot run, for no engine is left: engine 0 (rank 3 on a) died: killed; ")


def test_what_was_to_follow_the_dead_is_impossible() -> None:
    bench = Bench()
    bench.submit(0, targets=(0,))
    bench.end_well(0, 0)
    lose(bench, 0, ())
    bench.submit_on(Terms(follow=Needs(((0, 1),), True, True, False, False, "", ())), 1)
    error = "ImpossibleDependency: f (task 1) was to follow other tasks to where they ran, but engine 0 (rank 3 on a) died: killed"
    assert bench.ends()[1].error == error


def test_the_dead_are_not_asked_again() -> None:
    bench = Bench()
    bench.submit(0)
    bench.refuse(0, 0, "not here")
    assert bench.given(SECOND) == [0]
    lose(bench, 1, (0,))
    for tries in range(1, MOST_REFUSALS):
        bench.pass_time(PAUSE * 2**tries)
        bench.refuse(0, 0, "not here")
    assert bench.ends()[0].error == "UnmetDependency: no engine takes f (task 0): engine 0: TaskReject: not here; engine 1: killed"


def test_what_is_cancelled_when_its_result_was_lost_did_run() -> None:
    bench = Bench()
    bench.submit(0, targets=(0, 1))
    bench.end_well(0, 0)
    bench.submit_batch_on(Terms((1,)), 1, 9)  # the other engine has enough to do
    lose(bench, 0, (0,))
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((0,), interrupt=False))
    done, cancelled = bench.out.take_messages(CLIENT)
    assert isinstance(done, Done)
    assert done.error.startswith("EngineDiedError")
    assert cancelled == Cancelled((), (0,))
