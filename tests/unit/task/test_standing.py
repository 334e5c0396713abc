"""Whoever asks is told where each task is: at which engine, or at none."""

from __future__ import annotations

from mpikernel.interfaces.task.refusals import PAUSE
from mpikernel.wire.messages import AskStanding, CancelTasks, Standing
from mpikernel.wire.terms import Needs, Terms
from tests.unit.task.bench import CLIENT, Bench


def standing(bench: Bench) -> Standing:
    bench.out.mail.clear()
    bench.react(CLIENT, AskStanding(5))
    [told] = bench.out.take_messages(CLIENT)
    bench.out.assert_silent()
    assert isinstance(told, Standing)
    assert told.query == 5
    return told


def test_nothing() -> None:
    told = standing(Bench())
    assert (told.held, told.waiting) == (((), ()), ())


def test_single_tasks_and_batches() -> None:
    bench = Bench()
    bench.submit(1, 2, targets=(0,))
    bench.submit_batch_on(Terms((1,)), 10, 5)
    told = standing(bench)
    assert told.held == (((1, 2),), ((10, 2),))
    assert told.waiting == ((12, 3),)
    bench.end_well(0, 1)
    bench.end_batches()
    told = standing(bench)
    assert (told.held, told.waiting) == ((((2, 1),), ()), ())


def test_what_follows_each_other_is_told_as_one_whatever_it_came_with_and_what_was_cancelled_is_not_told() -> None:
    bench = Bench()
    for first in (10, 15, 20):
        bench.submit_batch_on(Terms((1,)), first, 5)
    assert standing(bench).waiting == ((12, 13),)
    bench.react(CLIENT, CancelTasks((13, 14, 22), False))
    assert standing(bench).waiting == ((12, 1), (15, 7), (23, 2))


def test_what_waits_for_others_or_for_another_try_is_at_no_engine() -> None:
    bench = Bench()
    bench.submit(1, 2, targets=(0,))
    bench.submit_on(Terms(after=Needs(((1, 1),), True, True, False, False, "", ())), 3)
    bench.refuse(0, 2, "no gpu")
    told = standing(bench)
    assert (told.held, told.waiting) == ((((1, 1),), ()), ((2, 2),))
    bench.pass_time(PAUSE)
    assert standing(bench).held == (((1, 2),), ())
