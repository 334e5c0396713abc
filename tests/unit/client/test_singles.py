"""Tasks that are submitted one by one in quick succession leave as one batch, and each result is its own all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpikernel.client.result import AsyncResult
from mpikernel.client.singles import ENOUGH, MOST, SMALL
from mpikernel.errors import TaskAborted
from mpikernel.ledger.records import ABORTED, ERROR, OK
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import Submit, SubmitBatch
from mpikernel.wire.payload import dump
from mpikernel.wire.terms import PLAIN, Terms


def inverse(x: float) -> float:
    return 1 / x


def submit(world: LoopbackWorld, function: Callable[..., Any], argument: Any, terms: Terms = PLAIN, label: str = "f") -> AsyncResult:
    """As a view does it."""
    result, port = AsyncResult(world.port, label, True), world.port
    leaves = port.submit_single(result, label, port.functions.get(function, label), dump(((argument,), {})), terms, False)
    return result.launched() if leaves else result


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, world: LoopbackWorld) -> list[Submit | SubmitBatch]:
    """What goes to the task interface."""
    messages: list[Submit | SubmitBatch] = []
    send = world.port.loop.out.send

    def remember(rank: int, message: Any, *rest: Any, **more: Any) -> None:
        if isinstance(message, Submit | SubmitBatch):
            messages.append(message)
        send(rank, message, *rest, **more)

    monkeypatch.setattr(world.port.loop.out, "send", remember)
    return messages


@pytest.fixture
def world() -> LoopbackWorld:
    return LoopbackWorld(engines=2)


def test_the_first_leaves_at_once_and_those_that_follow_together(world: LoopbackWorld, sent: list[Submit | SubmitBatch]) -> None:
    results = [submit(world, abs, -number) for number in range(20)]
    world.run()
    assert [result.get() for result in results] == list(range(20))
    assert [result.msg_ids for result in results] == [[number] for number in range(20)]
    assert [getattr(message, "count", 1) for message in sent] == [1, 19]


def test_each_has_its_own_end(world: LoopbackWorld) -> None:
    results = [submit(world, inverse, number) for number in (1, 2, 0, 4)]
    world.run()
    assert [results[index].get() for index in (0, 1, 3)] == [1, 0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        results[2].get()
    world.pass_time(1.0)
    assert {record.task: record.status for _, record in world.ledger.records()} == {0: OK, 1: OK, 2: ERROR, 3: OK}


def test_what_differs_leaves_apart_and_in_order(world: LoopbackWorld, sent: list[Submit | SubmitBatch]) -> None:
    urgent = Terms(priority=1)
    order = [(abs, PLAIN, "f"), (abs, PLAIN, "f"), (abs, PLAIN, "g"), (inverse, PLAIN, "g"), (inverse, urgent, "g"), (inverse, urgent, "g")]
    results = [submit(world, function, 2, terms, label) for function, terms, label in order]
    world.run()
    assert [result.get() for result in results] == [2, 2, 2, 0.5, 0.5, 0.5]
    assert [(message.label, message.terms.priority, getattr(message, "count", 1)) for message in sent] == [
        ("f", 0, 1), ("f", 0, 1), ("g", 0, 1), ("g", 0, 1), ("g", 1, 2)
    ]  # fmt: skip


def test_no_batch_is_larger_than_it_may_be(world: LoopbackWorld, sent: list[Submit | SubmitBatch]) -> None:
    word = b"x" * (SMALL // 2)
    results = [submit(world, len, word) for _ in range(20)] + [submit(world, abs, 1) for _ in range(MOST + 2)]
    world.run()
    assert sum(result.get() for result in results) == 20 * len(word) + MOST + 2
    for message in sent:
        if isinstance(message, SubmitBatch):
            assert message.count <= MOST
            assert memoryview(message.ends).cast("I")[-1] <= ENOUGH + SMALL


def test_what_is_large_goes_by_itself_behind_those_that_wait(world: LoopbackWorld, sent: list[Submit | SubmitBatch]) -> None:
    results = [submit(world, len, b"x" * size) for size in (1, 1, SMALL, 1)]
    world.run()
    assert [result.get() for result in results] == [1, 1, SMALL, 1]
    assert [type(message) for message in sent] == [Submit, SubmitBatch, Submit, SubmitBatch]


def test_those_that_have_not_left_are_cancelled(world: LoopbackWorld) -> None:
    results = [submit(world, abs, number) for number in range(6)]
    with world.working():
        assert results[4].cancel()
    world.run()
    assert [result.cancelled() for result in results] == [False, False, False, False, True, False]
    with pytest.raises(TaskAborted):
        results[4].get()
    world.pass_time(1.0)
    assert {record.task: record.status for _, record in world.ledger.records()}[4] == ABORTED
