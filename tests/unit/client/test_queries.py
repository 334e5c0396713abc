"""What a client tells of its calls and of the ledger, through every role of a world in one process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from mpikernel.client.queries import GAP, Queries, _spans, call_ids, ranking
from mpikernel.client.result import AsyncResult
from mpikernel.client.tally import ROOM
from mpikernel.errors import LedgerError, UsageError
from mpikernel.ledger.query import Entry
from mpikernel.ledger.records import ERROR, OK, Record
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.notebook import GATHER
from mpikernel.wire.payload import dump
from mpikernel.wire.terms import PLAIN

MANY = 12  # tasks: more than engines are given of a function that they do not know


def direct(world: LoopbackWorld, function: Callable[..., Any], *arguments: Any, targets: tuple[int, ...] = (0, 1)) -> AsyncResult:
    result, port = AsyncResult(world.port, "f", False), world.port
    pickled, frames = port.functions.get(function, "f"), dump((arguments, {}))
    port.command(result, "apply", "f", targets, lambda call, _index: port.apply_message(call, pickled, frames, False))
    return result.launched()


def tasks(world: LoopbackWorld, function: Callable[..., Any], *arguments: Any) -> AsyncResult:
    result = AsyncResult(world.port, "f", False)
    frames = [dump(((argument,), {})) for argument in arguments]
    world.port.submit(result, "f", world.port.functions.get(function, "f"), frames, PLAIN, False)
    return result.launched()


def asked(world: LoopbackWorld, question: Callable[[Queries], Any]) -> Any:
    """The answer to a question; while it is waited for time passes and everybody does what is due, but no user code runs."""
    loop, others = world.port.loop, [rank for rank in range(world.layout.size) if rank != world.client.rank]

    def go_round() -> bool:
        world.clock.advance(GATHER)
        return sum(world.turn(rank) for rank in others) > 0

    loop.guest = go_round
    try:
        return question(Queries(world.port))
    finally:
        loop.guest = None


@pytest.fixture
def world() -> LoopbackWorld:
    """Two engines; of four direct calls one failed, and of three tasks none."""
    world = LoopbackWorld()
    kept = direct(world, abs, -1), direct(world, int, "x", targets=(1,)), direct(world, abs, -1, targets=(0,)), tasks(world, abs, 1, 2, 3)
    world.run()
    assert all(result.done() for result in kept)
    return world


def test_records_are_found_as_soon_as_results_are_there(world: LoopbackWorld) -> None:
    rows = asked(world, lambda queries: queries.find({}, ["msg_id", "kind", "status"], None, None))
    assert [(row["msg_id"], row["status"]) for row in rows] == [(0, OK), (1, OK), (2, ERROR), (3, OK), (4, OK), (5, OK), (6, OK)]
    assert world.port.state.tally.latest == {}


def test_which_fields_and_how_many_and_in_which_order(world: LoopbackWorld) -> None:
    def find(*options: Any) -> Any:
        return asked(world, lambda queries: queries.find({"kind": "apply"}, ["msg_id"], *options))

    assert find(2, None) == [{"msg_id": 0}, {"msg_id": 1}]
    assert find(None, "-msg_id") == [{"msg_id": number} for number in (3, 2, 1, 0)]
    assert find(1, "-msg_id") == [{"msg_id": 3}]
    assert find(0, None) == find(0, "label") == []
    (row,) = asked(world, lambda queries: queries.find({"task": 2}, None, None, None))
    assert (row["run"], row["engine_id"], row["rank"], row["attempt"]) == (1, 1, 4, 1)
    assert "ValueError" in row["error"]


@pytest.mark.parametrize(
    ("query", "keys", "limit", "order", "words"),
    [
        ({"x": 1}, None, None, None, "no field 'x'"),
        ({}, ["x"], None, None, "no field 'x'"),
        ({}, "label", None, None, "keys is a list"),
        ({}, None, -1, None, "limit is a number"),
        ({}, None, "3", None, "limit is a number"),
        ({}, None, None, "-x", "no field 'x'"),
        ({}, None, None, 3, "order is the name of a field"),
    ],
)
def test_wrong_questions_are_refused(world: LoopbackWorld, query: Any, keys: Any, limit: Any, order: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        asked(world, lambda queries: queries.find(query, keys, limit, order))


def test_history_and_status(world: LoopbackWorld) -> None:
    late = direct(world, abs, -1, targets=(1,))
    assert asked(world, lambda queries: queries.history()) == list(range(8))
    assert asked(world, lambda queries: queries.statuses(None)) == {"pending": [7], "completed": list(range(7)), "failed": [2]}
    with pytest.raises(UsageError, match="call 7 has not ended"):
        asked(world, lambda queries: queries.purge([1, late], None, None))
    world.run()
    assert asked(world, lambda queries: queries.statuses([2, late])) == {"pending": [], "completed": [2, 7], "failed": [2]}
    with pytest.raises(UsageError, match="no calls 8, 99 of this run"):
        asked(world, lambda queries: queries.statuses([8, 99, 1]))


def test_queues(world: LoopbackWorld) -> None:
    late, waiting = direct(world, abs, -1), tasks(world, float, *range(MANY))
    status = asked(world, lambda queries: queries.queue(None, True))
    assert [status[engine]["queue"] for engine in (0, 1)] == [[late.msg_ids[engine]] for engine in (0, 1)]
    placed = [*status[0]["tasks"], *status[1]["tasks"], *status["unassigned"]]
    assert sorted(placed) == waiting.msg_ids
    assert status[0]["tasks"]
    assert status[1]["tasks"]
    assert status["unassigned"]
    counted = asked(world, lambda queries: queries.queue(None, False))
    assert sum(counted[engine].pop("completed") for engine in (0, 1)) == 7
    assert counted == {
        **{engine: {"queue": 1, "tasks": len(status[engine]["tasks"])} for engine in (0, 1)},
        "unassigned": len(status["unassigned"]),
    }
    world.run()
    assert late.done()
    assert waiting.done()
    told = asked(world, lambda queries: queries.queue(1, True))
    assert {2, 8} <= set(told.pop("completed"))
    assert told == {"queue": [], "tasks": []}
    assert list(asked(world, lambda queries: queries.queue([1], False))) == [1, "unassigned"]


def test_records_are_removed_and_open_calls_stay(world: LoopbackWorld) -> None:
    assert asked(world, lambda queries: queries.purge([0, 2], None, None)) == 2
    assert asked(world, lambda queries: queries.history()) == [1, 3, 4, 5, 6]
    assert asked(world, lambda queries: queries.purge(None, 1, None)) >= 1
    left = asked(world, lambda queries: queries.find({}, ["engine_id"], None, None))
    assert {row["engine_id"] for row in left} == {0}
    assert asked(world, lambda queries: queries.purge("all", None, 77)) == 0
    assert asked(world, lambda queries: queries.purge("all", None, None)) == len(left)
    assert asked(world, lambda queries: queries.history()) == []


@pytest.mark.parametrize(
    ("jobs", "words"),
    [(None, "say what"), ("al", "'al' is no call"), ([5, 99], "no call 99 of this run"), (-1, "not negative"), (2.5, "is no call")],
)
def test_what_cannot_be_purged(world: LoopbackWorld, jobs: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        asked(world, lambda queries: queries.purge(jobs, None, None))
    assert len(asked(world, lambda queries: queries.history())) == 7


def test_a_result_is_found_while_somebody_holds_it(world: LoopbackWorld) -> None:
    held, let_go = direct(world, abs, -1), direct(world, int, "y")
    world.run()
    last = let_go.msg_ids[-1]
    assert Queries(world.port).result(held.msg_ids[1]) is held
    assert Queries(world.port).result(held) is held
    assert Queries(world.port).result(last) is let_go
    del let_go
    gc.collect()
    with pytest.raises(UsageError, match=f"call {last} .f. ended on engine 1 at .*: error, ValueError: .*values are not kept"):
        asked(world, lambda queries: queries.result(last))
    with pytest.raises(UsageError, match="no call 99 of this run"):
        asked(world, lambda queries: queries.result(99))


def test_results_that_are_gone_leave_nothing_behind(world: LoopbackWorld) -> None:
    tally, kept = world.port.state.tally, [direct(world, abs, -1, targets=(0,)) for _ in range(10)]
    for _ in range(3 * ROOM):
        direct(world, abs, -1, targets=(0,))
        world.port.state.open.clear()  # as if they had ended
    assert len(tally.held) <= ROOM
    assert all(Queries(world.port).result(number) is result for result in kept for number in result.msg_ids)


def test_an_answer_that_nobody_waits_for_is_dropped(world: LoopbackWorld) -> None:
    asked(world, lambda queries: queries.run)
    assert world.port.questions.open == {}


def test_a_ledger_that_cannot_be_read_fails_the_question_only(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise LedgerError("the disk is on fire")

    with monkeypatch.context() as patched:
        patched.setattr(world.ledger, "page", broken)
        with pytest.raises(LedgerError, match="the disk is on fire"):
            asked(world, lambda queries: queries.history())
    assert len(asked(world, lambda queries: queries.history())) == 7


def test_what_is_not_known_comes_last_in_either_order() -> None:
    entries = [Entry(1, Record(task, "apply", "f", engine), live=True) for task, engine in enumerate([1, -1, 0, 2, -1])]
    for order, expected in (("engine_id", [2, 0, 3, 1, 4]), ("-engine_id", [3, 0, 2, 1, 4])):
        for limit in (None, 5, 3, 1):
            assert [entry.record.task for entry in ranking(order, limit)(entries)] == expected[:limit]


def test_ids_of_many_shapes() -> None:
    assert call_ids([3, 1, (3, 2)]) == [3, 1, 2]
    for wrong in ("3", None, 1.0, [None], b"1", True):
        with pytest.raises(UsageError):
            call_ids(wrong)


def test_scattered_ids_are_read_in_few_pieces() -> None:
    ids = {0, 1, GAP, 3 * GAP, 3 * GAP + 2}
    assert list(_spans(4, ids)) == [((4, 0), (4, GAP)), ((4, 3 * GAP), (4, 3 * GAP + 2))]
    assert list(_spans(4, ())) == []
