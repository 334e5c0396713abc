"""Tasks that are made again from the ledger: single ones, of batches and of chunks, of this run and of earlier ones."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import pytest
from msgspec.structs import replace

from mpikernel.client.client import Client
from mpikernel.client.here import close_port, open_port
from mpikernel.errors import CompositeError, UsageError
from mpikernel.interfaces.task.keeping import Keeping
from mpikernel.ledger.memory import MemoryLedger
from mpikernel.ledger.records import OK, SUBMITTED, Record, Run
from mpikernel.testing.loopback import KEPT, LoopbackWorld

CALLS: list[object] = []


@pytest.fixture
def world() -> Iterator[LoopbackWorld]:
    CALLS.clear()
    world = LoopbackWorld(engines=2)
    open_port(world.port)
    with working(world):
        yield world
    close_port()


@contextmanager
def working(world: LoopbackWorld) -> Iterator[None]:
    """Whoever waits drives everybody, and time passes meanwhile."""
    with world.working():
        work = world.port.loop.guest
        assert work is not None

        def work_and_pass_time() -> bool:
            world.clock.advance(1e-3)
            return work()

        world.port.loop.guest = work_and_pass_time
        yield


@pytest.fixture
def client(world: LoopbackWorld) -> Client:
    return Client()


def follow(world: LoopbackWorld) -> LoopbackWorld:
    """A world that begins where another has ended, with the same ledger."""
    close_port()
    world.pass_time(1.0)
    world.ledger.end_run(0, 2.0)
    later = LoopbackWorld(engines=2)
    later.ledger = later.controller.ledger = MemoryLedger(world.ledger.rows)
    later.ledger.begin_run(Run(0, 3.0))
    open_port(later.port)
    return later


def once_bad(number: int, more: int = 0) -> int:
    """Fails the first time."""
    CALLS.append(number)
    if number % 2 and CALLS.count(number) < 2:
        raise ValueError(number)
    return number + more


def refuse_odd(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number


def mend(number: int) -> str:
    return f"mended {number}"


def failed_ids(client: Client) -> list[int]:
    return [row["msg_id"] for row in client.db_query({"status": "error"})]


def test_a_call_is_made_again_as_it_was(client: Client) -> None:
    view = client.load_balanced_view()
    first = view.apply_async(once_bad, 3, more=10)
    with pytest.raises(ValueError, match="3"):
        first.get()
    (number,) = first.msg_ids
    again = client.resubmit(number)
    assert again.get() == 13
    assert again.msg_ids == [number + 1]
    assert client.resubmit([number, number]).get() == [13]
    assert client.resubmit(again).get() == 13
    assert [row["status"] for row in client.db_query({})] == ["error", "ok", "ok", "ok"]


def test_each_comes_in_its_place(client: Client) -> None:
    view = client.load_balanced_view()
    mapped = view.map_async(once_bad, range(8), chunksize=1)
    mapped.wait()
    ids = failed_ids(client)
    assert ids == [1, 3, 5, 7]
    assert client.resubmit(ids[::-1]).get() == [7, 5, 3, 1]
    assert client.resubmit(client.db_query({"status": "error"}, order="-msg_id")).get() == [7, 5, 3, 1]
    assert client.resubmit(mapped).get() == list(range(8))
    assert client.resubmit([]).get() == []


def test_tasks_that_left_together(client: Client, world: LoopbackWorld) -> None:
    world.port.loop.guest, guest = None, world.port.loop.guest
    results = [client.load_balanced_view().apply_async(once_bad, number) for number in range(6)]
    world.run()
    world.port.loop.guest = guest
    assert all(result.done() for result in results)
    assert client.resubmit(failed_ids(client)).get() == [1, 3, 5]


def test_the_task_of_a_chunk_calls_all_its_items(client: Client) -> None:
    view = client.load_balanced_view()
    mapped = view.map_async(once_bad, range(6), chunksize=3)
    mapped.wait()
    assert client.resubmit(failed_ids(client)).get() == [[0, 1, 2], [3, 4, 5]]
    bad = view.map_async(refuse_odd, range(6), chunksize=3)
    bad.wait()
    with pytest.raises(CompositeError, match=r"refuse_odd failed in 2 of 3 items: .*ValueError: 3; .*ValueError: 5") as caught:
        client.resubmit(bad.msg_ids[1]).get()
    assert [type(error) for error in caught.value.exceptions] == [ValueError] * 2


def test_terms_stay_and_dependencies_go(client: Client, world: LoopbackWorld) -> None:
    view = client.load_balanced_view(targets=[1])
    view.set_flags(retries=1, priority=5, recovery=mend, label="mine")
    view.after = first = view.apply_async(abs, 1)
    result = view.apply_async(refuse_odd, 3)
    assert result.get() == "mended 3"
    client.purge_results(first)
    again = client.resubmit(result)
    assert again.get() == "mended 3"
    (row,) = client.db_query({"msg_id": again.msg_ids[0]})
    assert (row["engine_id"], row["label"], row["attempt"]) == (1, "mine", 3)


def test_tasks_of_earlier_runs(client: Client, world: LoopbackWorld) -> None:
    view = client.load_balanced_view()
    offset = 100
    view.map_async(lambda number: offset // number, [2, 0, 5], chunksize=1).wait()
    view.map_async(lambda number: -1 * offset * number, [2, 3], chunksize=1).wait()
    later = follow(world)
    with working(later):
        client = Client()
        client.load_balanced_view().apply_sync(abs, -1)
        assert client.resubmit([4, 2], run=1).get() == [-300, 20]
        with pytest.raises(ZeroDivisionError):
            client.resubmit(1, run=1).get()
        rows = client.db_query({"status": "ok"})
        assert client.resubmit(rows).get() == [50, 20, -200, -300, 1, -300, 20]
        assert client.resubmit(rows[0]).get() == 50


def test_what_a_killed_run_left_open(client: Client, world: LoopbackWorld) -> None:
    world.port.loop.guest = None
    client.load_balanced_view().map_async(refuse_odd, [2, 4], chunksize=1)
    world.pass_time(1.0)
    later = follow(world)
    with working(later):
        rows = Client().db_query({"status": "unfinished"})
        assert Client().resubmit(rows).get() == [2, 4]


def test_what_was_too_large_is_told(client: Client) -> None:
    view = client.load_balanced_view()
    large = view.apply_async(len, b"x" * 2 * KEPT)
    assert large.get() == 2 * KEPT
    with pytest.raises(UsageError, match=r"task 0 of run 1 cannot be resubmitted: what it is called with has 0\.1 MiB, .*keep_calls"):
        client.resubmit(large)
    bulky = view.apply_async(functools.partial(max, b"x" * 2 * KEPT), b"a")
    bulky.get()
    with pytest.raises(UsageError, match=r"the function that it calls has 0\.1 MiB, more than .*keep_calls"):
        client.resubmit(bulky)


def test_a_large_argument_that_comes_again_is_kept_once(client: Client, world: LoopbackWorld) -> None:
    world.task.keeping = Keeping(10 * KEPT, 30 * KEPT)
    view, large = client.load_balanced_view(), numpy.arange(KEPT, dtype=numpy.uint8)
    results = [view.apply_async(numpy.dot, large, large + number % 2) for number in range(40)]
    client.wait()
    again = client.resubmit([result.msg_ids[0] for result in results])
    assert again.get() == [result.get() for result in results]
    assert world.task.keeping.room > 20 * KEPT


def test_no_more_is_kept_than_there_is_room_for(client: Client, world: LoopbackWorld) -> None:
    world.task.keeping = Keeping(KEPT, KEPT)
    view = client.load_balanced_view()
    first, second = view.apply_async(len, b"x" * (KEPT // 2)), view.apply_async(len, b"x" * (KEPT // 2))
    client.wait()
    assert client.resubmit(first).get() == KEPT // 2
    with pytest.raises(UsageError, match="keep_calls_total"):
        client.resubmit(second)


def test_nothing_is_kept_where_that_is_said(client: Client, world: LoopbackWorld) -> None:
    world.task.keeping = Keeping(0, KEPT)
    result = client.load_balanced_view().apply_async(abs, -1)
    result.get()
    with pytest.raises(UsageError, match="the ledger does not have what it calls, because keep_calls was 0"):
        client.resubmit(result)
    assert not [key for key in world.ledger.rows if key[0] > 2]


def test_what_cannot_be_made_again(client: Client, world: LoopbackWorld) -> None:
    direct = client[:].apply_async(abs, -1)
    direct.get()
    with pytest.raises(UsageError, match="calls 0, 1 are direct calls, which cannot be resubmitted: a view makes them again"):
        client.resubmit(direct)
    with pytest.raises(UsageError, match="the ledger has no call 77 of this run: never made, or purged"):
        client.resubmit([77])
    with pytest.raises(UsageError, match="the ledger has no call 0 of run 5"):
        client.resubmit(0, run=5)
    with pytest.raises(UsageError, match="'run' and 'msg_id': this one has label"):
        client.resubmit({"label": "f"})
    with pytest.raises(UsageError, match="'all' is no call"):
        client.resubmit("all")  # type: ignore[arg-type]  # as users do
    world.port.loop.guest, guest = None, world.port.loop.guest
    going = client.load_balanced_view().apply_async(abs, -1)
    world.settle()
    world.port.loop.guest = lambda: world._turn_others() > 0
    with pytest.raises(UsageError, match="call 2 has not ended and cannot be resubmitted"):
        client.resubmit(going)
    world.port.loop.guest = guest
    assert going.get() == 1


def test_what_is_for_engines_that_are_not_here(client: Client, world: LoopbackWorld) -> None:
    good, bad = (client.load_balanced_view(targets=[engine]).apply_async(abs, -1) for engine in (0, 1))
    client.wait()
    world.client.engines = world.client.engines[:1]
    with pytest.raises(UsageError, match="task 1 of run 1 is for engine 1, and this world has 1"):
        client.resubmit([*good.msg_ids, *bad.msg_ids])
    assert client.history == [0, 1]
    world.client.lost[0] = "killed"
    with pytest.raises(UsageError, match="task 0 of run 1 is for engine 0, and that has died"):
        client.resubmit(good)


def test_what_was_purged(client: Client, world: LoopbackWorld) -> None:
    mapped = client.load_balanced_view().map_async(abs, range(4), chunksize=1)
    mapped.wait()
    client.purge_results(mapped.msg_ids[:2])
    assert client.resubmit(mapped.msg_ids[2:]).get() == [2, 3]
    with pytest.raises(UsageError, match="the ledger has no calls 0, 1 of this run: never made, or purged"):
        client.resubmit(mapped.msg_ids[:2])


def test_records_without_what_they_called(client: Client, world: LoopbackWorld) -> None:
    """As an mpikernel left them that did not keep it."""
    row = Record(900, "task", "f", status=OK)
    world.ledger.write([row, replace(row, task=901, status=SUBMITTED)])
    with pytest.raises(UsageError, match="task 900 of run 1 cannot be resubmitted: the ledger does not have what it calls"):
        client.resubmit(900)
