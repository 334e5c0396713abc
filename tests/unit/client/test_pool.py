"""The pool, in a world in one process: what it is given, what it gives back, how it ends."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import CancelledError
from itertools import count
from typing import Any

import pytest

from mpikernel.client.pool import Pool
from mpikernel.errors import NoWorldError, PoolTimeoutError, UsageError
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import ScriptEnded


def inverse(x: float) -> float:
    return 1 / x


@pytest.mark.parametrize("items", [0, 1, 13, 1000])
def test_a_map_chooses_its_chunks_unless_told(working: LoopbackWorld, items: int) -> None:
    pool, expected = Pool(), list(range(items, 0, -1))
    for chunksize, tasks in ((1, items), (7, -(-items // 7)), (10_000, min(items, 1))):
        result = pool.map_async(abs, range(-items, 0), chunksize)
        assert result.get() == expected
        assert len(result.result.msg_ids) == tasks
    result = pool.map_async(abs, range(-items, 0))
    assert result.get() == expected
    assert len(result.result.msg_ids) <= min(items, 500)


def test_items_are_read_at_once(working: LoopbackWorld) -> None:
    items = list(range(50))
    result = Pool().map_async(abs, items)
    items.clear()
    assert result.get() == list(range(50))


def test_values_and_exceptions(world: LoopbackWorld) -> None:
    with world.working(), Pool() as pool:
        assert pool.apply(int, ("ff",), {"base": 16}) == 255
        assert pool.map(abs, {-1: "a"}) == [1]
        assert pool.starmap(divmod, [(7, 2), [9, 4]]) == [(3, 1), (2, 1)]
        assert pool.starmap(int, [("7",), ("11", 2)]) == [7, 3]
        assert list(pool.imap(abs, iter([-1, -2]), 2)) == [1, 2]
        assert set(pool.imap_unordered(abs, [-1, -2])) == {1, 2}
        for call in (lambda: pool.apply(inverse, (0,)), lambda: pool.map(inverse, [1, 0]), lambda: list(pool.imap(inverse, [0]))):
            with pytest.raises(ZeroDivisionError):
                call()


def test_callbacks(world: LoopbackWorld) -> None:
    told: list[Any] = []
    with world.working(), Pool() as pool:
        pool.apply_async(abs, (-3,), callback=told.append)
        pool.map_async(abs, [-1, -2], callback=told.append)
        pool.map_async(inverse, [0, 1], callback=told.append, error_callback=lambda error: told.append(type(error)))
        assert pool.map(abs, [-5, -6], callback=told.append) == [5, 6]
        pool.close()
        pool.join()
    assert sorted(told, key=str) == sorted([3, [1, 2], ZeroDivisionError, 5, 6], key=str)
    assert world.client.left_over() == []  # the failure was told


@pytest.mark.parametrize("chunksize", [1, 2, 5, None])
def test_imap_goes_on_after_an_item_that_failed(working: LoopbackWorld, chunksize: int | None) -> None:
    values = Pool().imap(inverse, [1, 0, 2, 0, 4], chunksize)
    got: list[Any] = []
    for _ in range(5):
        try:
            got.append(next(values))
        except ZeroDivisionError:
            got.append("failed")
    assert got == [1, "failed", 0.5, "failed", 0.25]
    assert list(values) == []


@pytest.mark.parametrize("chunksize", [1, 2, 5, None])
def test_a_source_that_breaks_is_told_in_its_place_and_once(working: LoopbackWorld, chunksize: int | None) -> None:
    def breaking() -> Iterator[int]:
        yield from range(3)
        raise LookupError("the source broke")

    values = Pool().imap(abs, breaking(), chunksize)
    assert [next(values) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError, match="the source broke"):
        next(values)
    assert list(values) == []


@pytest.mark.parametrize("chunksize", [1, 10, None])
def test_join_reads_to_the_end_what_somebody_has_the_values_of(working: LoopbackWorld, chunksize: int | None) -> None:
    pool = Pool()
    values = pool.imap(abs, iter(range(500)), chunksize)
    assert next(values) == 0
    pool.close()
    pool.join()
    assert list(values) == list(range(1, 500))


def test_join_does_not_wait_for_values_that_nobody_has(working: LoopbackWorld) -> None:
    pool = Pool()
    assert next(pool.imap(abs, count())) == 0
    pool.close()
    pool.join()
    assert working.client.idle


def test_what_was_terminated_says_so(working: LoopbackWorld) -> None:
    with Pool() as pool:
        values = pool.imap(abs, count())
        assert next(values) == 0
    with pytest.raises(CancelledError, match="abs"):
        list(values)
    assert list(values) == []


def test_what_is_late(world: LoopbackWorld) -> None:
    result = Pool().apply_async(abs, (-3,))
    with world.attended():
        assert not result.ready()
        result.wait(0.0)
        with pytest.raises(multiprocessing.TimeoutError, match="abs"):
            result.get(0.0)
        with pytest.raises(PoolTimeoutError):
            Pool().imap(abs, [1]).next(0.0)
        with pytest.raises(ValueError, match="not done"):
            result.successful()
    world.run()
    assert (result.get(0.0), result.successful()) == (3, True)


def test_the_end(world: LoopbackWorld) -> None:
    pool = Pool()
    with world.attended(), pool:
        results = [pool.apply_async(abs, (-number,)) for number in range(12)]
        with pytest.raises(UsageError, match="still open"):
            pool.join()
    with pytest.raises(ValueError, match="closed"):
        pool.apply(abs, (1,))
    with world.working():
        pool.join()
    with pytest.raises(CancelledError):
        results[-1].get()
    with pytest.raises(UsageError, match="closed"), pool:
        pass
    assert "closed" in repr(pool)


@pytest.mark.parametrize("processes", [0, -1, 1.5, "3", True, 4])
def test_numbers_of_engines_that_cannot_be(world: LoopbackWorld, processes: Any) -> None:
    with pytest.raises(UsageError, match=f"processes={processes!r}"):
        Pool(processes)


def test_what_samplers_ask(world: LoopbackWorld) -> None:
    pool = Pool(2)
    assert (pool.size, pool.is_master(), pool.is_worker()) == (2, True, False)
    pool.wait()
    pool.wait(print)
    with pytest.raises(TypeError, match="cannot be sent"):
        pool.__reduce__()


def test_there_must_be_a_world() -> None:
    with pytest.raises(NoWorldError):
        Pool()


def test_what_ends_the_world_is_told_and_not_what_comes_of_it(world: LoopbackWorld) -> None:
    def script() -> None:
        with Pool() as pool:
            pool.apply_async(abs, (-1,))
            world.settle()
            world.loops[1].out.send(0, ScriptEnded(0))
            world.settle()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        script()
