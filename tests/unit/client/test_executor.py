"""The executor where nothing runs unless a test has it run: states, cancelling, shutting down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, as_completed, wait
from itertools import count
from typing import Any

import pytest

from mpikernel.client.client import Client
from mpikernel.client.here import close_port, open_port
from mpikernel.client.needs import Dependency, Needed
from mpikernel.errors import ClosedError, SerializeError, UsageError
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import ScriptEnded


@pytest.fixture
def client(world: LoopbackWorld) -> Client:
    return Client()


def inverse(x: float) -> float:
    return 1 / x


def test_futures_are_done_as_the_world_works(world: LoopbackWorld, client: Client) -> None:
    executor = client.executor()
    futures = [executor.submit(inverse, x) for x in (4, 0, 2)]
    assert [future.done() for future in futures] == [False] * 3
    world.run()
    assert wait(futures, timeout=0).done == set(futures)
    assert set(as_completed(futures, timeout=0)) == set(futures)
    assert isinstance(futures[1].exception(), ZeroDivisionError)
    assert (futures[0].result(), futures[2].result()) == (0.25, 0.5)


def test_callbacks_run_before_a_shutdown_is_over(world: LoopbackWorld, client: Client) -> None:
    seen: list[Any] = []
    with world.working(), client.executor() as executor:
        for number in range(5):
            executor.submit(abs, -number).add_done_callback(lambda future: seen.append(future.result()))
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_shutdown_cancels_what_has_not_begun(world: LoopbackWorld, client: Client) -> None:
    executor = client.executor()
    futures = [executor.submit(abs, -number) for number in range(9)]
    with world.attended():
        executor.shutdown(wait=False, cancel_futures=True)
    world.run()
    cancelled = [future for future in futures if future.cancelled()]
    assert cancelled
    with pytest.raises(CancelledError, match="abs"):
        cancelled[0].result()
    with pytest.raises(ClosedError, match="shut down"):
        executor.submit(abs, 1)


def test_a_map_is_submitted_at_once(world: LoopbackWorld, client: Client) -> None:
    executor = client.executor()
    for options in ({}, {"timeout": 5.0}, {"buffersize": 9}, {"chunksize": 2}):
        values = executor.map(pow, [2, 3, 4], [2, 2, 2, 2], **options)
        world.run()
        assert list(values) == [4, 9, 16]


def test_a_map_that_is_late(world: LoopbackWorld, client: Client) -> None:
    values = client.executor().map(abs, [-1, -2, -3], timeout=0.0)
    with world.attended(), pytest.raises(TimeoutError, match="3 tasks are under way"):
        next(values)
    world.run()


def breaking(good: int) -> Iterator[int]:
    yield from range(good)
    raise LookupError("the source broke")


@pytest.mark.parametrize("chunksize", [1, 3, None])
def test_items_are_read_at_once(working: LoopbackWorld, client: Client, chunksize: int | None) -> None:
    items = list(range(50))
    values = client.executor().map(abs, items, chunksize=chunksize)
    items.clear()
    assert list(values) == list(range(50))
    with pytest.raises(LookupError, match="the source broke"):
        client.executor().map(abs, breaking(5), chunksize=chunksize)


@pytest.mark.parametrize("chunksize", [1, 3, None])
@pytest.mark.parametrize("buffersize", [1, 2, 12])
def test_a_buffer_bounds_what_is_ahead_of_what_was_asked_for(
    working: LoopbackWorld, client: Client, chunksize: int | None, buffersize: int
) -> None:
    read: list[int] = []
    bound = buffersize * (chunksize or 1)
    values = client.executor().map(abs, (read.append(number) or number for number in count()), chunksize=chunksize, buffersize=buffersize)
    assert 0 < len(read) <= bound  # before anybody asks
    for asked in range(1, 60):
        assert next(values) == asked - 1
        assert len(read) <= asked + bound + (chunksize or 1) - 1


def test_while_a_value_is_looked_at_the_buffer_is_full(working: LoopbackWorld, client: Client) -> None:
    read: list[int] = []
    values = client.executor().map(abs, (read.append(number) or number for number in count()), buffersize=4)
    assert len(read) == 4
    next(values)
    assert len(read) == 5


@pytest.mark.parametrize("options", [{}, {"chunksize": 2}, {"chunksize": None}, {"buffersize": 2}, {"timeout": 20.0, "buffersize": 50}])
def test_what_cannot_be_sent_is_told_in_its_place(working: LoopbackWorld, client: Client, options: dict[str, Any]) -> None:
    with client.executor() as executor:
        values = executor.map(abs, [-1, -2, (number for number in ()), -4], **options)
        assert [next(values), next(values)] == [1, 2]
        with pytest.raises(SerializeError, match="abs"):
            next(values)
        assert list(values) == []


@pytest.mark.parametrize("chunksize", [1, 3, None])
def test_a_source_that_breaks_is_told_in_its_place(working: LoopbackWorld, client: Client, chunksize: int | None) -> None:
    values = client.executor().map(abs, breaking(5), chunksize=chunksize, buffersize=50)
    assert [next(values) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(LookupError, match="the source broke"):
        next(values)


@pytest.mark.parametrize("options", [{}, {"buffersize": 2}])
def test_calls_whose_values_were_taken_can_be_waited_for(working: LoopbackWorld, client: Client, options: dict[str, Any]) -> None:
    values = client.executor().map(abs, [-1, -2], **options)
    assert next(values) == 1
    working.pass_time(1.0)  # the ledger has it
    needs = Needed(working.port, Dependency(client.history[0])).needs()
    assert needs is not None
    assert (needs.open, needs.met) == ((), True)
    assert list(values) == [2]


def test_a_shutdown_ends_the_reading(working: LoopbackWorld, client: Client) -> None:
    with client.executor() as executor:
        endless = executor.map(abs, count(), buffersize=3)
        next(endless)
    assert [next(endless) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(ClosedError, match="shut down"):
        next(endless)


def test_a_shutdown_does_not_wait_for_what_nobody_will_ask_for(working: LoopbackWorld, client: Client) -> None:
    with client.executor() as executor:
        next(executor.map(abs, count(), buffersize=3))
    assert client.wait(timeout=10)


def test_closing_a_map_cancels_what_has_not_begun(world: LoopbackWorld, client: Client) -> None:
    for options in ({}, {"buffersize": 40}):
        with world.working():
            values = client.executor().map(abs, range(50), **options)
            next(values)
        values = client.executor().map(abs, range(50), **options)
        with world.attended():
            with pytest.raises(TimeoutError):
                list(client.executor().map(abs, range(50), timeout=0.0, **options))
            values.close()  # type: ignore[attr-defined]  # it is a generator
        world.run()
    assert world.client.idle


def test_what_a_map_leaves_behind_is_not_told_in_the_end(world: LoopbackWorld, client: Client) -> None:
    with world.working():
        with pytest.raises(ZeroDivisionError):
            list(client.executor().map(inverse, [0, 0, 0, 1]))
        with pytest.raises(ZeroDivisionError):
            list(client.executor().map(inverse, [0, 0, 0, 1], buffersize=3))
        client.wait()
    assert world.client.left_over() == []


def test_the_initializer_runs_once_on_each_engine() -> None:
    ran: list[int] = []
    world = LoopbackWorld(engines=2, perform=lambda number, job: ran.append(number))
    open_port(world.port)
    with world.working():
        executor = Client().executor(initializer=inverse, initargs=(1,))
        assert sorted(ran) == [0, 1]
        futures = [executor.submit(abs, -number) for number in range(4)]
        wait(futures, timeout=0)
    close_port()
    assert len(ran) == 2 + len(futures)


def test_a_failing_initializer(world: LoopbackWorld, client: Client) -> None:
    with world.working():
        executor = client.executor(targets=1, initializer=inverse, initargs=(0,))
        for _ in range(2):
            with pytest.raises(BrokenExecutor, match=r"the initializer failed.*ZeroDivisionError|division"):
                executor.submit(abs, 1)
    with pytest.raises(UsageError, match="initializer='x' cannot be called"):
        client.executor(initializer="x")  # type: ignore[arg-type]


def test_a_shutdown_need_not_wait_for_an_initializer(world: LoopbackWorld, client: Client) -> None:
    executor = client.executor(initializer=abs, initargs=(1,))
    refused: list[bool] = []

    def submit() -> None:
        with pytest.raises(ClosedError):
            executor.submit(abs, 1)
        refused.append(True)

    thread = threading.Thread(target=submit)
    thread.start()
    executor.shutdown(wait=False)
    world.run()
    thread.join(10)
    assert refused


def test_executors_of_views(world: LoopbackWorld, client: Client) -> None:
    for executor in (client[1].executor, client.load_balanced_view(1).executor, client.executor(targets=[1])):
        futures = [executor.submit(abs, -number) for number in range(3)]
        world.run()
        assert {future.metadata["engine_id"] for future in futures} == {1}
        assert "1" in repr(executor)


def end_the_world(world: LoopbackWorld) -> None:
    world.settle()
    world.loops[1].out.send(0, ScriptEnded(0))
    world.settle()


def test_what_ends_the_world_is_told_and_not_what_comes_of_it(world: LoopbackWorld, client: Client) -> None:
    def script() -> None:
        with client.executor() as executor:
            executor.submit(abs, -1)
            values = executor.map(abs, [-1, -2])
            end_the_world(world)
            with pytest.raises(ClosedError, match="the world is ending"):
                next(values)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        script()


def test_a_shutdown_that_waits_in_vain(world: LoopbackWorld, client: Client) -> None:
    executor = client.executor()
    future = executor.submit(abs, -1)
    end_the_world(world)
    assert not future.done()
    with pytest.raises(ClosedError, match="the world is ending"):
        executor.shutdown()
