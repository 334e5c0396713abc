"""A recovery is called once, in the place of a task that has failed for good; if it fails too, both errors are told."""

from __future__ import annotations

import pytest

from mpikernel.interfaces.task.refusals import MOST_REFUSALS
from mpikernel.ledger.records import ABORTED, ERROR, OK
from mpikernel.wire.envelope import Missing, Parcel
from mpikernel.wire.messages import Apply, CancelTasks, Done, Failed, Lost, Released, SubmitFunction
from mpikernel.wire.terms import Terms
from tests.unit.task.bench import CLIENT, FIRST, LATER, SECOND, Bench

MENDED = Terms((0,), recovery=b"g")


def bench_with_recovery() -> Bench:
    bench = Bench()
    bench.react(CLIENT, SubmitFunction(b"g"), [b"mending code"])
    return bench


def fail(bench: Bench, number: int, attempt: int, error: str, engine: int = 0, status: str = ERROR) -> Done:
    """A run ends badly; its description is its error."""
    done = Done(number, engine, status, 1.0, LATER, "", "", error)
    bench.react((FIRST, SECOND)[engine], Failed(attempt, done, rejected=False), [error.encode()])
    return done


def test_it_is_called_with_what_the_task_was_called_with() -> None:
    bench = bench_with_recovery()
    bench.submit_on(MENDED, 7)
    bench.out.mail.clear()
    fail(bench, 7, 1, "ValueError: no")
    assert bench.out.take(FIRST) == [Parcel(Apply(7, CLIENT, b"g", 1, "the recovery of f", 2, False, 0.0), [b"mending code", b"args"])]
    bench.react(FIRST, Released(7, 2, 1.0, LATER))
    record = bench.recorded()[7]
    assert (record.label, record.status, record.attempt) == ("f", OK, 2)
    bench.out.assert_silent()


def test_it_goes_to_an_engine_once() -> None:
    bench = bench_with_recovery()
    bench.submit_on(MENDED, 7, 8)
    bench.out.mail.clear()
    for number in (7, 8):
        fail(bench, number, 1, "ValueError: no")
    assert [parcel.message.carried for parcel in bench.out.take(FIRST) if isinstance(parcel.message, Apply)] == [1, 0]


def test_retries_come_first_and_it_has_none() -> None:
    bench = bench_with_recovery()
    bench.submit_on(Terms((0,), retries=1, recovery=b"g"), 7)
    fail(bench, 7, 1, "ValueError: no")
    second = fail(bench, 7, 2, "ValueError: no again")
    assert bench.given(FIRST) == [7, 7, 7]
    bench.out.take(CLIENT)
    last = fail(bench, 7, 3, "KeyError: 5")
    [(done, frames, *_)] = bench.out.take(CLIENT)
    assert isinstance(done, Done)
    assert (done.error, done.earlier) == (f"{last.error} (in the recovery from {second.error})", 1)
    assert frames == [b"KeyError: 5", b"ValueError: no again"]
    record = bench.recorded()[7]
    assert (record.status, record.error, record.attempt) == (ERROR, done.error, 3)
    assert not bench.given(FIRST)


def test_of_a_batch_it_is_called_for_the_tasks_that_failed() -> None:
    bench = bench_with_recovery()
    bench.submit_batch_on(MENDED, 10, 2)
    bench.out.mail.clear()
    fail(bench, 11, 1, "ValueError: no")
    assert bench.given(FIRST) == [11]
    bench.react(FIRST, Released(11, 2, 1.0, LATER))
    bench.end_batches()
    assert {number: (record.status, record.attempt) for number, record in bench.recorded().items()} == {10: (OK, 1), 11: (OK, 2)}


def test_what_is_cancelled_is_not_recovered() -> None:
    bench = bench_with_recovery()
    bench.submit_on(MENDED, 7, 8)
    bench.react(CLIENT, CancelTasks((7,), interrupt=True))
    fail(bench, 7, 1, "interrupted", status=ABORTED)
    bench.react(CLIENT, CancelTasks((8,), interrupt=True))
    fail(bench, 8, 1, "ValueError: while it was interrupted")
    assert {number: done.status for number, done in bench.ends().items()} == {7: ABORTED, 8: ERROR}
    assert bench.given(FIRST) == [7, 8]


def test_a_recovery_that_waits_is_cancelled_and_the_failure_stays() -> None:
    bench = bench_with_recovery()
    bench.submit_on(MENDED, 7)
    bench.submit(*range(20, 26), targets=(0,))
    first = fail(bench, 7, 1, "ValueError: no")
    assert 7 in {number for entry in bench.state.waiting for number in entry.numbers}
    bench.out.take(CLIENT)
    bench.react(CLIENT, CancelTasks((7,), interrupt=False))
    assert bench.out.take(CLIENT)[0] == Parcel(first, [b"ValueError: no"])
    assert bench.recorded()[7].attempt == 1


def test_a_recovery_that_is_interrupted_is_aborted() -> None:
    bench = bench_with_recovery()
    bench.submit_on(MENDED, 7)
    fail(bench, 7, 1, "ValueError: no")
    bench.react(CLIENT, CancelTasks((7,), interrupt=True))
    aborted = fail(bench, 7, 2, "interrupted", status=ABORTED)
    assert bench.ends()[7] == aborted


def test_engines_that_refused_the_task_are_asked_again() -> None:
    bench = bench_with_recovery()
    bench.submit_on(Terms(recovery=b"g"), 7)
    bench.refuse(0, 7, "no gpu")
    bench.out.mail.clear()
    fail(bench, 7, 1, "ValueError: no", engine=1)
    assert bench.given(FIRST) == [7]


def test_a_recovery_that_nobody_takes_tells_what_it_was_for() -> None:
    bench = bench_with_recovery()
    bench.submit_on(MENDED, 7)
    fail(bench, 7, 1, "ValueError: no")
    for _ in range(MOST_REFUSALS):
        bench.refuse(0, 7, "no gpu")
        bench.pass_time(10.0)
    done = bench.ends()[7]
    assert done.error.startswith("UnmetDependency: no engine takes the recovery of f (task 7): engine 0: TaskReject: no gpu")
    assert done.error.endswith("(in the recovery from ValueError: no)")
    assert done.earlier == 1


def test_what_was_refused_or_came_too_late_has_not_failed() -> None:
    bench = bench_with_recovery()
    bench.fill()
    bench.submit_on(Terms(queue_timeout=0.5, recovery=b"g"), 7)
    bench.pass_time(1.0)
    done = bench.ends()[7]
    assert done.error.startswith("QueueTimeoutError")
    assert done.earlier == 0


@pytest.mark.parametrize("batch", [False, True])
def test_a_recovery_that_found_no_memory_is_told_and_sent_again(batch: bool) -> None:
    bench = Bench()
    bench.react(CLIENT, SubmitFunction(b"g"), [Missing(b"no memory for a buffer of 5 bytes")])
    assert bench.out.take_messages(CLIENT) == [Lost(b"g", tasks=True)]
    if batch:
        bench.submit_batch_on(MENDED, 7, 1)
    else:
        bench.submit_on(MENDED, 7)
    assert "no memory for a buffer of 5 bytes" in bench.ends()[7].error
    bench.react(CLIENT, SubmitFunction(b"g"), [b"mending code"])
    bench.submit_on(MENDED, 8)
    assert bench.given(FIRST) == [8]
