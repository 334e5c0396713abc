"""The task interface: who gets which task, what travels with it, and what is written down."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import pytest

from mpikernel.errors import OurProtocolError, SerializeError
from mpikernel.interfaces.task import handing
from mpikernel.interfaces.task.entries import Entry
from mpikernel.interfaces.task.handing import best
from mpikernel.interfaces.task.policies import Loads
from mpikernel.interfaces.task.reactor import SOON, tick
from mpikernel.interfaces.task.state import TaskState
from mpikernel.ledger.records import ABORTED, ERROR, OK, SUBMITTED, Record
from mpikernel.wire.envelope import Missing, Parcel
from mpikernel.wire.failure import rebuild
from mpikernel.wire.messages import (
    NOBODY,
    Apply,
    Cancelled,
    CancelTasks,
    Done,
    Released,
    ReleasedBatch,
    RunBatch,
    Submit,
    SubmitBatch,
    Withdraw,
    Withdrawn,
)
from mpikernel.wire.terms import PLAIN, Terms
from tests.unit.task.bench import CLIENT, FIRST, LATER, ROOM, SECOND, Bench


def test_engines_get_tasks_in_turn_until_they_have_no_room() -> None:
    bench = Bench()
    bench.submit(*range(2 * ROOM + 3))
    assert (bench.given(FIRST), bench.given(SECOND)) == ([0, 2], [1, 3])
    assert [task.submit.task for task in bench.state.waiting.in_order] == [4, 5, 6]
    bench.react(SECOND, Released(1, 1, 1.0, LATER))
    assert (bench.given(FIRST), bench.given(SECOND)) == ([], [4])
    bench.out.assert_silent()


def test_a_task_goes_only_where_it_may_and_holds_up_nobody() -> None:
    bench = Bench()
    bench.submit(*range(ROOM + 1), targets=(0,))
    bench.submit(10, 11)
    assert (bench.given(FIRST), bench.given(SECOND)) == (list(range(ROOM)), [10, 11])
    assert [task.submit.task for task in bench.state.waiting.in_order] == [ROOM]
    bench.react(FIRST, Released(0, 1, 1.0, LATER))
    assert bench.given(FIRST) == [ROOM]


def test_tasks_of_several_targets_are_handed_out_in_the_order_in_which_they_came() -> None:
    bench = Bench()
    bench.submit(*range(2 * ROOM))
    bench.submit(10, targets=(0,))
    bench.submit(11, targets=(1,))
    bench.submit(12)
    bench.submit(13, targets=(0,))
    bench.out.mail.clear()
    for number in (1, 3):
        bench.react(SECOND, Released(number, 1, 1.0, LATER))
    assert (bench.given(FIRST), bench.given(SECOND)) == ([], [11, 12])
    for number in (0, 2):
        bench.react(FIRST, Released(number, 1, 1.0, LATER))
    assert (bench.given(FIRST), bench.given(SECOND)) == ([10, 13], [])
    assert not bench.state.waiting


def test_tasks_whose_engine_is_full_are_not_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    looks: list[Entry] = []

    def look(state: TaskState, entry: Entry, room: Mapping[int, float], loads: Loads) -> int | None:
        looks.append(entry)
        return best(state, entry, room, loads)

    bench.submit(*range(200), targets=(0,))
    monkeypatch.setattr(handing, "best", look)
    bench.submit(1000)
    bench.react(SECOND, Released(1000, 1, 1.0, LATER))
    assert 0 < len(looks) <= 4, "one look for each targets and turn, not one for each task"


def test_frames_are_passed_on_as_they_came_and_a_function_once_to_each_engine() -> None:
    bench = Bench()
    bench.submit(0)
    bench.submit(1, 2, carried=0)
    first, third = bench.out.take(FIRST)
    [second] = bench.out.take(SECOND)
    assert first == Parcel(Apply(0, CLIENT, b"f", 1, "f", 1, False, 0.0), [b"code", b"args"])
    assert second == Parcel(Apply(1, CLIENT, b"f", 1, "f", 1, False, 0.0), [b"code", b"args"])
    assert third == Parcel(Apply(2, CLIENT, b"f", 0, "f", 1, False, 0.0), [b"args"])


def test_a_function_that_never_came() -> None:
    with pytest.raises(OurProtocolError, match="was named but never sent"):
        Bench().submit(0, carried=0)


def test_a_good_task_is_written_down_and_costs_no_message() -> None:
    bench = Bench()
    bench.submit(7)
    assert bench.recorded() == {7: Record(7, "task", "f", submitted=5.0, status=SUBMITTED)}
    bench.out.take(FIRST)
    bench.react(FIRST, Released(7, 1, 1.5, 2.5))
    assert bench.recorded() == {7: Record(7, "task", "f", 0, FIRST, "a", 5.0, 1.5, 2.5, OK)}
    bench.out.assert_silent()


def test_a_failed_task_is_tried_again_behind_the_others() -> None:
    bench = Bench()
    bench.submit(0, retries=1)
    bench.submit(*range(1, 2 * ROOM + 1))
    bench.out.take(FIRST), bench.out.take(SECOND)
    bench.fail(0, FIRST, 0)
    assert bench.given(FIRST) == [2 * ROOM]
    bench.react(SECOND, Released(1, 1, 1.0, LATER))
    [again] = bench.out.take_messages(SECOND)
    assert isinstance(again, Apply)
    assert (again.call, again.attempt) == (0, 2)
    bench.out.assert_silent()


def test_the_last_failure_goes_to_the_client_as_it_came() -> None:
    bench = Bench()
    bench.submit(7)
    bench.out.take(FIRST)
    done = bench.fail(0, FIRST, 7)
    assert bench.out.take(CLIENT) == [Parcel(done, [b"description"])]
    record = bench.recorded()[7]
    assert (record.status, record.error, record.attempt, record.engine) == (ERROR, "ValueError: no", 1, 0)
    bench.out.assert_silent()


def test_cancelling_what_waits_here() -> None:
    bench = Bench()
    bench.submit(*range(2 * ROOM), 50, 51)
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((51, 99), interrupt=False))
    done = Done(51, -1, "aborted", 0.0, bench.clock(), "", "", "cancelled before it began")
    assert bench.out.take_messages(CLIENT) == [done, Cancelled((51,), (99,))]
    assert bench.recorded()[51].status == ABORTED
    assert [task.submit.task for task in bench.state.waiting.in_order] == [50]
    bench.out.assert_silent()


def test_what_engines_hold_is_asked_back_and_they_answer() -> None:
    bench = Bench()
    bench.submit(*range(2 * ROOM), 50)
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((0, 1, 2), interrupt=False))
    assert bench.out.take_messages(FIRST) == [Withdraw((0, 2), CLIENT, interrupt=False)]
    assert bench.out.take_messages(SECOND) == [Withdraw((1,), CLIENT, interrupt=False)]
    bench.out.assert_silent()
    bench.react(FIRST, Withdrawn((2,), (0,), CLIENT))
    done = Done(2, -1, "aborted", 0.0, bench.clock(), "", "", "cancelled before it began")
    assert bench.out.take_messages(CLIENT) == [done, Cancelled((2,), (0,))]
    assert bench.given(FIRST) == [50]
    bench.react(SECOND, Withdrawn((), (1,), CLIENT))
    assert bench.out.take_messages(CLIENT) == [Cancelled((), (1,))]
    bench.out.assert_silent()


def test_cancelling_finds_what_waits_whatever_its_targets() -> None:
    bench = Bench()
    bench.submit(*range(2 * ROOM))
    bench.submit(50, 51, targets=(1,))
    bench.submit(52, targets=(0,))
    bench.submit(53)
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((53, 50, 52), interrupt=False))
    assert [task.submit.task for task in bench.state.waiting.in_order] == [51]
    *ends, answer = bench.out.take_messages(CLIENT)
    assert [done.call for done in ends if isinstance(done, Done)] == [50, 52, 53]
    assert answer == Cancelled((50, 52, 53), ())


def test_cancelling_what_waits_for_its_next_try_ends_it_with_its_error() -> None:
    bench = Bench()
    bench.submit(0, retries=1)
    bench.submit(*range(1, 2 * ROOM + 1), 50)
    bench.out.mail.clear()
    done = bench.fail(0, FIRST, 0)
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((0, 50), interrupt=False))
    aborted = Done(50, -1, "aborted", 0.0, bench.clock(), "", "", "cancelled before it began")
    assert bench.out.take(CLIENT) == [Parcel(aborted), Parcel(done, [b"description"]), Parcel(Cancelled((50,), (0,)))]
    assert not bench.state.waiting
    record = bench.recorded()[0]
    assert (record.status, record.error, record.attempt, record.engine) == (ERROR, "ValueError: no", 1, 0)
    bench.out.assert_silent()


def test_a_next_try_that_its_engine_gives_back_ends_with_its_error() -> None:
    bench = Bench()
    bench.submit(0, retries=1, targets=(0,))
    bench.submit(1, 2, targets=(0,))
    done = bench.fail(0, FIRST, 0)
    bench.react(FIRST, Released(1, 1, 1.0, LATER))
    assert bench.given(FIRST) == [0, 1, 2, 0]
    bench.react(CLIENT, CancelTasks((0, 2), interrupt=False))
    assert bench.out.take_messages(FIRST) == [Withdraw((0, 2), CLIENT, interrupt=False)]
    bench.react(FIRST, Withdrawn((0,), (2,), CLIENT))
    assert bench.out.take(CLIENT) == [Parcel(done, [b"description"]), Parcel(Cancelled((), (0, 2)))]
    record = bench.recorded()[0]
    assert (record.status, record.error, record.attempt, record.engine) == (ERROR, "ValueError: no", 1, 0)
    bench.out.assert_silent()


def test_a_task_whose_arguments_found_no_memory_ends_with_an_error() -> None:
    bench = Bench()
    message = Submit(7, b"f", 1, "f", 5.0, False, Terms((), 3), 0)
    bench.react(CLIENT, message, [b"code", b"pickle", Missing(b"no memory for a buffer of 5 bytes")])
    [(done, frames, *_)] = bench.out.take(CLIENT)
    assert isinstance(done, Done)
    assert (done.call, done.engine, done.status) == (7, -1, "error")
    with pytest.raises(SerializeError, match="no memory for a buffer of 5 bytes"):
        raise rebuild(frames, -1)
    assert bench.recorded()[7].status == ERROR
    bench.out.assert_silent()
    bench.submit(8, carried=0)
    assert bench.given(FIRST) == [8]


# batches -----------------------------------------------------------------------------------------------------------------


def submit_batch(bench: Bench, first: int, count: int, retries: int = 0, targets: tuple[int, ...] = ()) -> None:
    """Tasks that are called with their own numbers, of two digits."""
    ends = array("I", range(2, 2 * count + 1, 2)).tobytes()
    data = b"".join(b"%02d" % number for number in range(first, first + count))
    bench.react(CLIENT, SubmitBatch(first, count, b"f", 1, "f", 5.0, ends, Terms(targets, retries), 0), [b"code", data])


def release(bench: Bench, engine: int, first: int, count: int, seconds: float) -> None:
    """An engine has run tasks of the batch that begins at 10, each in so many seconds."""
    moments = [1.0 + seconds * index for index in range(count + 1)]
    times = array("d", [*moments[:-1], *moments[1:]]).tobytes()
    bench.react((FIRST, SECOND)[engine], ReleasedBatch(10, first, count, engine, times))


def run_dry(bench: Bench) -> None:
    """The second engine runs all that it has of four tasks, which take long."""
    bench.out.mail.clear()
    release(bench, 1, 11, 1, 1.0)
    release(bench, 1, 13, 1, 1.0)


def stretches(bench: Bench, rank: int) -> list[tuple[int, bytes]]:
    """What an engine has been sent of batches: the first task, and what they are called with."""
    return [(parcel.message.call, bytes(parcel.frames[-1])) for parcel in bench.out.take(rank) if isinstance(parcel.message, RunBatch)]


def test_a_batch_is_handed_out_in_stretches_that_grow_when_its_tasks_are_short() -> None:
    bench = Bench()
    submit_batch(bench, 10, 80)
    assert (stretches(bench, FIRST), stretches(bench, SECOND)) == ([(10, b"1011")], [(12, b"1213")])
    release(bench, 1, 12, 2, 1e-5)
    assert next(len(data) // 2 for _, data in stretches(bench, SECOND)) > 10
    assert bench.recorded()[12] == Record(12, "task", "f", 1, SECOND, "b", 5.0, 1.0, 1.0 + 1e-5, OK)


def test_what_is_done_in_no_time_is_not_shared_out_for_that_costs_more() -> None:
    bench = Bench()
    submit_batch(bench, 10, 2)
    assert stretches(bench, FIRST) + stretches(bench, SECOND) == [(10, b"10"), (11, b"11")]
    release(bench, 0, 10, 1, 1e-5)
    release(bench, 1, 11, 1, 1e-5)
    submit_batch(bench, 20, 40)
    assert [(first, len(data) // 2) for first, data in stretches(bench, FIRST)] == [(20, 40)]
    assert not stretches(bench, SECOND)


def test_long_tasks_are_given_one_at_a_time() -> None:
    bench = Bench()
    submit_batch(bench, 10, 20)
    bench.out.mail.clear()
    release(bench, 0, 10, 1, 3.0)
    release(bench, 0, 11, 1, 3.0)
    assert stretches(bench, FIRST) == [(14, b"14")]


def test_who_runs_dry_gets_half_of_what_another_has_not_begun() -> None:
    bench = Bench()
    submit_batch(bench, 10, 4)
    assert [first for first, _ in stretches(bench, FIRST)] == [10, 12]
    run_dry(bench)
    assert bench.out.take_messages(FIRST) == [Withdraw((12,), NOBODY, interrupt=False)]
    bench.react(FIRST, Withdrawn((12,), (), NOBODY))
    assert stretches(bench, SECOND) == [(12, b"12")]
    assert not bench.state.waiting


def test_nobody_is_asked_again_before_it_has_ended_a_task() -> None:
    bench = Bench()
    submit_batch(bench, 10, 4)
    run_dry(bench)
    bench.react(FIRST, Withdrawn((), (12,), NOBODY))
    bench.out.mail.clear()
    tick(bench.state, bench.out, bench.clock.advance(10.0))
    assert not bench.out.take_messages(FIRST)


def test_nobody_is_asked_again_before_it_has_answered_although_it_gets_on() -> None:
    bench = Bench()
    submit_batch(bench, 10, 80)
    bench.out.mail.clear()
    release(bench, 0, 10, 2, 1e-3)
    release(bench, 1, 12, 2, 1e-3)
    first_left = stretches(bench, FIRST)[0][0]
    while waiting := stretches(bench, SECOND):
        for first, data in waiting:
            release(bench, 1, first, len(data) // 2, 1e-3)
    asked = [message for message in bench.out.take_messages(FIRST) if isinstance(message, Withdraw)]
    assert len(asked) == 1
    release(bench, 0, first_left, 1, 1e-3)
    tick(bench.state, bench.out, bench.clock.advance(10.0))
    assert not any(isinstance(message, Withdraw) for message in bench.out.take_messages(FIRST))
    bench.react(FIRST, Withdrawn(asked[0].tasks[1:], asked[0].tasks[:1], NOBODY))
    assert sum(len(data) // 2 for _, data in stretches(bench, SECOND)) == len(asked[0].tasks) - 1


def test_what_was_recalled_is_cancelled_where_it_is_then() -> None:
    bench = Bench()
    submit_batch(bench, 10, 4)
    run_dry(bench)
    bench.out.mail.clear()
    bench.react(CLIENT, CancelTasks((12,), interrupt=False))
    assert bench.out.take_messages(FIRST) == [Withdraw((12,), CLIENT, interrupt=False)]
    bench.react(FIRST, Withdrawn((12,), (), NOBODY))
    bench.out.mail.clear()
    bench.react(FIRST, Withdrawn((), (12,), CLIENT))
    assert bench.out.take_messages(SECOND) == [Withdraw((12,), CLIENT, interrupt=False)]
    assert bench.out.take_messages(CLIENT) == [Cancelled((), ())]


def test_what_was_recalled_and_is_where_it_was_again_is_cancelled_there() -> None:
    bench = Bench()
    submit_batch(bench, 10, 4)
    run_dry(bench)
    bench.fill(*range(900, 900 + ROOM))  # the engine that had nothing to do has something
    bench.react(CLIENT, CancelTasks((12,), interrupt=False))
    bench.react(CLIENT, CancelTasks((12,), interrupt=False))
    bench.out.mail.clear()
    bench.react(FIRST, Withdrawn((12,), (), NOBODY))
    release(bench, 0, 10, 1, 1.0)
    assert bench.given_batches(FIRST) == [range(12, 13)]
    for _ in range(2):  # neither wish has found it: it was on its way
        bench.react(FIRST, Withdrawn((), (12,), CLIENT))
        assert bench.out.take_messages(FIRST) == [Withdraw((12,), CLIENT, interrupt=False)]
        assert bench.out.take_messages(CLIENT) == [Cancelled((), ())]
    bench.react(FIRST, Withdrawn((12,), (), CLIENT))
    assert bench.out.take_messages(CLIENT)[-1] == Cancelled((12,), ())
    bench.react(FIRST, Withdrawn((), (12,), CLIENT))
    assert bench.out.take_messages(CLIENT) == [Cancelled((), (12,))]
    assert not bench.state.seats[0].wishes


def test_a_task_of_a_batch_that_failed_is_tried_again_by_itself() -> None:
    bench = Bench()
    submit_batch(bench, 10, 4, retries=1)
    bench.out.mail.clear()
    bench.fail(0, FIRST, 10)
    assert bench.out.take(FIRST) == [Parcel(Apply(10, CLIENT, b"f", 0, "f", 2, False, 0.0), [b"10"])]
    bench.react(FIRST, Released(10, 2, 1.0, LATER))
    record = bench.recorded()[10]
    assert (record.status, record.attempt) == (OK, 2)


def test_what_has_not_ended_soon_is_recorded_as_submitted() -> None:
    bench = Bench()
    submit_batch(bench, 10, 4)
    release(bench, 1, 11, 1, 1.0)
    tick(bench.state, bench.out, bench.clock.advance(SOON))
    records = bench.recorded()
    assert {number: record.status for number, record in records.items()} == {10: SUBMITTED, 11: OK, 12: SUBMITTED, 13: SUBMITTED}


def test_a_batch_that_found_no_memory_ends_with_errors() -> None:
    bench = Bench()
    ends = array("I", [1, 2]).tobytes()
    bench.react(CLIENT, SubmitBatch(10, 2, b"f", 1, "f", 5.0, ends, PLAIN, 0), [b"code", Missing(b"no memory")])
    assert [done.status for done in bench.out.take_messages(CLIENT) if isinstance(done, Done)] == [ERROR, ERROR]
    assert not bench.state.batches
