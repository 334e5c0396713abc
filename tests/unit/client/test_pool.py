"""The pool, in a world in one process: what it is given, what it gives back, how it ends."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from mpikernel.client.here import close_port, open_port
from mpikernel.client.pool import Pool
from mpikernel.errors import NoWorldError, PoolTimeoutError, UsageError
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import ScriptEnded


@pytest.fixture
def world() -> Iterator[LoopbackWorld]:
    world = LoopbackWorld(engines=3)
    open_port(world.port)
    yield world
    close_port()


def inverse(x: float) -> float:
    return 1 / x


@pytest.mark.parametrize(("items", "tasks"), [(0, 0), (1, 1), (12, 12), (13, 7), (24, 12), (1000, 12)])
def test_a_map_is_cut_as_in_multiprocessing(world: LoopbackWorld, items: int, tasks: int) -> None:
    with world.working():
        result = Pool().map_async(abs, range(-items, 0))
    assert len(result.result) == tasks
    assert result.get() == list(range(items, 0, -1))


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
