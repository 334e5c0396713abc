"""Calls that sit in MPI while others of their round have ended: asked about, given up, told, and free again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mpikernel.client.client import Client
from mpikernel.client.here import close_port, open_port
from mpikernel.client.result import AsyncResult
from mpikernel.client.stuck import EVERY, GRACE, IN_DOUBT
from mpikernel.engine.state import Job
from mpikernel.errors import CompositeError, EngineStuckError, TaskAborted, remote_text
from mpikernel.ledger.records import ABORTED, ERROR, OK
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import EngineDied, Execute
from mpikernel.wire.payload import dump
from mpikernel.wire.sitting import COLLECTIVE, RECEIVE, Sitting, Waits
from mpikernel.wire.terms import PLAIN


def sits(*peers: int, seconds: float = 5.0, sure: bool = True, each: bool = True) -> Sitting:
    waits = Waits("Barrier", COLLECTIVE, peers, each, sure)
    return Sitting("comm.Barrier()", "<execute 1>, line 2", waits, 990.0, seconds, "Traceback\n    comm.Barrier()\n")


def perform(number: int, job: Job) -> Any:
    """Engine 2 fails in code that says so."""
    if number == 2 and isinstance(job.command, Execute) and "fail" in job.command.code:
        raise ValueError("no")
    return number


@pytest.fixture
def world() -> Iterator[LoopbackWorld]:
    world = LoopbackWorld(engines=4, perform=perform)
    open_port(world.port)
    world.port.watch.alone = lambda: True
    yield world
    close_port()


def execute(world: LoopbackWorld, code: str, targets: tuple[int, ...] = (0, 1, 2, 3)) -> AsyncResult:
    """All targets are sent a call; nobody begins it."""
    result = AsyncResult(world.port, "execute", single=False)
    world.port.command(result, "execute", code, targets, lambda call, _index: (Execute(call.id, code, "<execute 1>", False), ()))
    result.launched()
    world.settle()
    return result


def left_behind(world: LoopbackWorld, code: str = "fail") -> AsyncResult:
    """Engine 2 has ended its part; the others have begun theirs."""
    result = execute(world, code)
    for number in range(4):
        world.begin(number)
    world.finish(2)
    world.settle()
    return result


def pass_seconds(world: LoopbackWorld, seconds: float) -> None:
    """Time goes by as it does where everybody looks often."""
    end = world.clock() + seconds
    while world.clock() < end:
        world.pass_time(0.25)


def statuses(result: AsyncResult) -> list[str | None]:
    return [call.done.status if call.done is not None else None for call in result.calls]


def recorded(world: LoopbackWorld) -> dict[int, str]:
    pass_seconds(world, 1.0)
    return {record.task: record.status for _, record in world.ledger.records()}


def test_who_waits_for_one_that_failed_is_given_up(world: LoopbackWorld) -> None:
    result = left_behind(world)
    world.sitting = {0: sits(1, 2, 3), 1: sits(0, 2, 3), 3: sits(0, 1, 2)}
    pass_seconds(world, GRACE + 2 * EVERY)
    assert statuses(result) == [ERROR] * 4
    with pytest.raises(CompositeError) as caught:
        result.get()
    assert [type(error) for error in caught.value.exceptions] == [EngineStuckError, EngineStuckError, ValueError, EngineStuckError]
    text = "it waits in comm.Barrier() (<execute 1>, line 2) for engine 2 (rank 5 on host5), which raised ValueError: no"
    assert str(caught.value.exceptions[0]) == text
    assert f"[engines 0, 1, 3] EngineStuckError: {text}" in str(caught.value)
    assert remote_text(caught.value.exceptions[3]).startswith("on engine 3 (rank 6, host host6), in fail:\nTraceback\n    comm.Barrier()")
    assert recorded(world) == {0: ERROR, 1: ERROR, 2: ERROR, 3: ERROR}
    assert all(state.unwanted == {state.id} for state in world.engines if state.id != 2), "they are interrupted when they come back"


def test_nobody_is_asked_before_a_while_has_passed(world: LoopbackWorld) -> None:
    left_behind(world)
    pass_seconds(world, GRACE - 0.5)
    assert world.port.watch.inquiry.number == 0
    pass_seconds(world, EVERY + 0.75)
    assert world.port.watch.inquiry.number > 0


def test_nobody_is_asked_while_all_go_on(world: LoopbackWorld) -> None:
    result = execute(world, "well")
    for number in range(4):
        world.begin(number)
    world.sitting = {0: sits(1, 2, 3)}
    pass_seconds(world, 60.0)
    assert statuses(result) == [None] * 4
    assert world.port.watch.inquiry.number == 0
    for number in range(4):
        world.finish(number)
    world.settle()
    assert result.get() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "sitting",
    [{}, {0: sits(1)}, {0: sits(1, 2, 3, seconds=0.5)}, {0: sits(1, 2, 3, sure=False)}, {0: sits(1, 2, each=False)}],
    ids=["computes", "others", "passes-through", "in-doubt", "may-be-served"],
)
def test_who_may_be_well_goes_on(world: LoopbackWorld, sitting: dict[int, Sitting]) -> None:
    result = left_behind(world)
    world.sitting = sitting
    pass_seconds(world, 12.0)
    assert statuses(result) == [None, None, ERROR, None]
    world.sitting.clear()
    for number in (0, 1, 3):
        world.finish(number)
    world.settle()
    assert statuses(result) == [OK, OK, ERROR, OK]


def test_one_in_doubt_is_given_up_in_the_end(world: LoopbackWorld) -> None:
    result = left_behind(world)
    world.sitting = {0: sits(1, 2, 3, seconds=IN_DOUBT, sure=False)}
    pass_seconds(world, GRACE + 2 * EVERY)
    assert statuses(result) == [ERROR, None, ERROR, None]


def test_who_comes_after_a_long_computation_is_given_up_then(world: LoopbackWorld) -> None:
    result = left_behind(world)
    world.sitting = {0: sits(1, 2, 3)}
    pass_seconds(world, 10.0)
    assert statuses(result) == [ERROR, None, ERROR, None]
    world.sitting[1] = sits(0, 2, 3)
    pass_seconds(world, 3.0)
    assert statuses(result) == [ERROR, ERROR, ERROR, None]


def test_one_that_has_something_to_do_may_yet_come(world: LoopbackWorld) -> None:
    result = left_behind(world)
    later = execute(world, "joins", (2,))
    world.begin(2)
    world.sitting = {0: sits(1, 2, 3)}
    pass_seconds(world, 10.0)
    assert statuses(result) == [None, None, ERROR, None]
    world.finish(2)
    pass_seconds(world, 5.0)
    assert later.get() == [2]
    assert statuses(result) == [ERROR, None, ERROR, None]


# one that has ended well -------------------------------------------------------------------------------------------------


class TooLong(Exception):
    """Somebody has waited for long, and nothing came of it."""


@contextmanager
def passing(world: LoopbackWorld, seconds: float = 12.0) -> Iterator[None]:
    """Inside, time goes by for whoever waits, but not for ever."""
    end = world.clock() + seconds

    def go_on() -> bool:
        if world.clock() >= end:
            raise TooLong
        world.clock.advance(0.05)
        return world._turn_others() > 0

    yield from world._waited_for_by(go_on)


def served_late(world: LoopbackWorld) -> AsyncResult:
    """Engine 2 has ended well; the others wait for it."""
    result = left_behind(world, "well")
    world.sitting = {0: sits(1, 2, 3), 1: sits(0, 2, 3), 3: sits(0, 1, 2)}
    return result


@pytest.mark.parametrize(
    "wait",
    [lambda _, result: result.get(), lambda _, result: list(result), lambda client, result: client.wait(result) and result.get()],
    ids=["get", "iteration", "client"],
)
def test_that_one_ended_well_counts_while_the_script_only_waits(
    world: LoopbackWorld, wait: Callable[[Client, AsyncResult], object]
) -> None:
    result = served_late(world)
    pass_seconds(world, 10.0)
    assert statuses(result) == [None, None, OK, None]
    client = Client()
    with passing(world), pytest.raises((CompositeError, EngineStuckError), match=r"for engine 2 \(rank 5 on host5\), which has ended"):
        wait(client, result)
    assert statuses(result)[0] == ERROR


@pytest.mark.parametrize("look", [AsyncResult.ready, AsyncResult.done, lambda result: result.wait(1e-3)], ids=["ready", "done", "wait"])
def test_who_polls_may_yet_send_what_is_waited_for(world: LoopbackWorld, look: Callable[[AsyncResult], bool]) -> None:
    result, end = served_late(world), world.clock() + 10.0
    with passing(world, 60.0):
        while world.clock() < end:
            assert not look(result)
            world.port.nudge()
    assert statuses(result) == [None, None, OK, None]


def test_who_waits_for_another_result_may_yet_send_it(world: LoopbackWorld) -> None:
    result, other = served_late(world), execute(world, "other", (3,))
    with passing(world), pytest.raises(TooLong):
        other.get()
    assert statuses(result) == [None, None, OK, None]


def test_another_thread_may_yet_send_it(world: LoopbackWorld) -> None:
    result = served_late(world)
    world.port.watch.alone = lambda: False
    with passing(world), pytest.raises(TooLong):
        result.get()
    assert statuses(result) == [None, None, OK, None]


def test_a_callback_may_yet_send_it(world: LoopbackWorld) -> None:
    result, other = served_late(world), execute(world, "other", (3,))
    result.add_done_callback(print)
    other.add_done_callback(print)
    with passing(world), pytest.raises(TooLong):
        result.get()
    assert statuses(result) == [None, None, OK, None]


# who waits for whom ------------------------------------------------------------------------------------------------------


def test_who_waits_for_one_that_waits_itself(world: LoopbackWorld) -> None:
    result = left_behind(world)
    receives = Sitting("comm.recv(...)", "f.py, line 9", Waits("recv", RECEIVE, (1,), True, True), 990.0, 5.0, "")
    world.sitting = {0: receives, 1: sits(2)}
    pass_seconds(world, 4.0)
    assert statuses(result) == [ERROR, ERROR, ERROR, None]
    assert str(result.calls[0].exception()) == (
        "it waits in comm.recv(...) (f.py, line 9) for engine 1 (rank 4 on host4), which waits in comm.Barrier() (<execute 1>, line 2)"
    )


def test_an_engine_that_does_not_answer_is_taken_to_work(world: LoopbackWorld) -> None:
    result = left_behind(world)
    world.sitting = {0: sits(1, 2, 3), 3: sits(1)}
    silent, others = world.engines[1].rank, [rank for rank in range(7) if rank != world.engines[1].rank]
    for _ in range(40):
        world.clock.advance(0.25)
        while sum(world.turn(rank) for rank in others):
            pass
    assert statuses(result) == [ERROR, None, ERROR, None]
    assert world.turn(silent)


def test_who_waits_for_one_that_has_died(world: LoopbackWorld) -> None:
    result = execute(world, "well")
    for number in range(4):
        world.begin(number)
    world.sitting = {0: sits(1, 2, 3)}
    rank = world.engines[2].rank
    world.loops[0].out.send(world.client.rank, EngineDied(rank, "SIGKILL ended its process"))
    pass_seconds(world, 5.0)
    assert statuses(result) == [ERROR, None, ERROR, None]
    text = "it waits in comm.Barrier() (<execute 1>, line 2) for engine 2 (rank 5 on host5), which died: SIGKILL ended its process"
    assert str(result.calls[0].exception()) == text


# afterwards -------------------------------------------------------------------------------------------------------------


def stuck(world: LoopbackWorld) -> AsyncResult:
    """Engine 0 sits in a call that was given up."""
    result = left_behind(world)
    for number in (1, 3):
        world.finish(number)
    world.sitting = {0: sits(1, 2, 3)}
    pass_seconds(world, 4.0)
    assert statuses(result) == [ERROR, OK, ERROR, OK]
    return result


def come_back(world: LoopbackWorld) -> None:
    world.sitting.clear()
    world.finish(0)
    world.settle()


def run_free_engines(world: LoopbackWorld) -> None:
    while sum(world._run_one(state) for state in world.engines if state.id != 0):
        world.settle()


def test_what_its_engine_is_given_is_refused_until_it_comes_back(world: LoopbackWorld) -> None:
    stuck(world)
    later = execute(world, "later")
    run_free_engines(world)
    pass_seconds(world, 4.0)
    assert statuses(later) == [ERROR, OK, OK, OK]
    with pytest.raises(CompositeError, match=r"it could not begin: its engine has not come back from comm\.Barrier\(\)"):
        later.get()
    assert not world.engines[0].queue, "it does not run when nobody expects it any more"
    come_back(world)
    again = execute(world, "again")
    world.run()
    assert again.get() == [0, 1, 2, 3]
    assert ERROR not in {status for task, status in recorded(world).items() if task >= again.calls[0].id}


def test_what_has_been_given_runs_if_it_comes_back_soon(world: LoopbackWorld) -> None:
    stuck(world)
    later = execute(world, "later")
    run_free_engines(world)
    come_back(world)
    world.run()
    assert later.get() == [0, 1, 2, 3]


def test_tasks_go_elsewhere_meanwhile(world: LoopbackWorld) -> None:
    function = world.port.functions.get(abs, "abs")

    def submit(count: int, told: Callable[[int], object] = lambda _: None) -> AsyncResult:
        result = AsyncResult(world.port, "abs", single=False)
        world.port.submit(result, "abs", function, [dump(((-1,), {})) for _ in range(count)], PLAIN, False)
        return result.launched()

    stuck(world)
    assert [seat.seized for seat in world.task.seats] == [True, False, False, False]
    tasks = submit(20)
    world.settle()
    run_free_engines(world)
    assert tasks.done()
    assert {call.engine for call in tasks.calls} == {1, 2, 3}
    come_back(world)
    assert not any(seat.seized for seat in world.task.seats)
    tasks = submit(20)
    world.run()
    assert {call.engine for call in tasks.calls} == {0, 1, 2, 3}


def test_tasks_that_it_had_are_taken_back(world: LoopbackWorld) -> None:
    result = left_behind(world)
    tasks = AsyncResult(world.port, "abs", single=False)
    world.port.submit(tasks, "abs", world.port.functions.get(abs, "abs"), [dump(((-1,), {})) for _ in range(8)], PLAIN, False)
    tasks.launched()
    world.settle()
    assert world.task.seats[0].held
    for number in (1, 3):
        world.finish(number)
    world.sitting = {0: sits(1, 2, 3)}
    run_free_engines(world)
    pass_seconds(world, 5.0)
    run_free_engines(world)
    assert statuses(result) == [ERROR, OK, ERROR, OK]
    assert tasks.done()


# interrupts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [lambda world, result: result.abort(), lambda world, _: world.port.interrupt([0, 1])])
def test_what_does_not_hear_an_interrupt_is_given_up(world: LoopbackWorld, stop: Callable[[LoopbackWorld, AsyncResult], object]) -> None:
    result = execute(world, "barrier", (0, 1))
    for number in (0, 1):
        world.begin(number)
    world.sitting = {0: sits(1, 2, 3), 1: sits(0, 2, 3)}
    pass_seconds(world, 5.0)
    with world.attended():
        stop(world, result)
    assert statuses(result) == [None, None]
    pass_seconds(world, 5.0)
    assert statuses(result) == [ABORTED, ABORTED]
    with pytest.raises(
        TaskAborted, match=r"execute was interrupted, but engine 0 \(rank 3 on host3\) sits in comm\.Barrier\(\) .*no interr"
    ):
        result.get()


def test_what_hears_an_interrupt_late_is_not(world: LoopbackWorld) -> None:
    result = execute(world, "compute", (0, 1))
    for number in (0, 1):
        world.begin(number)
    with world.attended():
        result.abort()
    pass_seconds(world, 10.0)
    assert statuses(result) == [None, None]
    for number in (0, 1):
        world.finish(number)
    pass_seconds(world, 2.0)
    assert result.get() == [0, 1]
    asked = world.port.watch.inquiry.number
    pass_seconds(world, 5.0)
    assert world.port.watch.inquiry.number == asked


def test_after_its_goodbye_a_client_says_nothing_more(world: LoopbackWorld) -> None:
    stuck(world)
    execute(world, "fail", (1, 2))
    for number in (1, 2):
        world.begin(number)
    world.finish(2)
    pass_seconds(world, GRACE)
    world.port.watch.end()
    asked = world.port.watch.inquiry.number
    pass_seconds(world, 5.0)
    come_back(world)
    assert world.port.watch.inquiry.number == asked
    assert world.task.seats[0].seized, "nobody was told"
