"""How the source of a map is read: when, how far, in what portions, and what its failures cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.client.chunking import ENOUGH, AdaptiveSizes, FixedSizes
from mpikernel.client.client import Client
from mpikernel.client.feeding import SMALL, Feed
from mpikernel.client.mapped import TaskMapResult
from mpikernel.client.preparing import AHEAD
from mpikernel.client.reading import NO_BOUND, Chunks, Reader, Singles
from mpikernel.errors import SerializeError
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.payload import dump, load


def breaking(good: int) -> Iterator[int]:
    yield from range(good)
    raise LookupError("the source broke")


def singles(items: Iterator[Any]) -> Reader:
    return Singles(((item,) for item in items), lambda row: dump((row, {})))


def chunks(items: Iterator[Any], size: int) -> Chunks:
    return Chunks(items, True, lambda row: dump((row, {})), FixedSizes(size))


def items_in(payloads: list[Any]) -> list[list[Any]]:
    return [load(frames)[0][0] for frames in payloads]


# reading ----------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 30), st.integers(1, 7), st.lists(st.tuples(st.integers(1, 5), st.integers(1, 20)), max_size=9))
def test_chunks_are_consecutive_and_never_more_than_asked_for(total: int, size: int, asked: list[tuple[int, int]]) -> None:
    reader, got = chunks(iter(range(total)), size), []
    for tasks, room in asked:
        if reader.exhausted:
            break
        portion = items_in(reader.read(tasks, room))
        assert len(portion) <= tasks
        assert sum(map(len, portion)) <= room
        got += portion
    assert [item for chunk in got for item in chunk] == list(range(sum(map(len, got))))
    assert list(reader.begins) == [sum(map(len, got[:position])) for position in range(len(got) + 1)]
    assert all(len(chunk) == size for chunk in got[:-1])


@pytest.mark.parametrize("make", [singles, lambda items: chunks(items, 4)])
def test_what_the_source_raises_comes_after_what_it_gave(make: Callable[[Iterator[Any]], Reader]) -> None:
    reader = make(breaking(6))
    payloads = reader.read(100, NO_BOUND)
    assert reader.exhausted
    assert isinstance(reader.error, LookupError)
    found = items_in(payloads)
    assert found == ([[0, 1, 2, 3], [4, 5]] if isinstance(reader, Chunks) else list(range(6)))


def test_no_room_reads_nothing() -> None:
    for reader in (singles(breaking(0)), chunks(breaking(0), 3)):
        assert reader.read(5, 0) == []
        assert (reader.exhausted, reader.error) == (False, None)


def test_a_chunk_that_is_too_heavy_is_taken_apart() -> None:
    items = [bytes([number]) * (ENOUGH // 3) for number in range(9)]
    sizes = AdaptiveSizes(1, None, None)
    sizes.measured(1, 1, lambda: 1e-9)
    reader = Chunks(iter(items), True, lambda row: dump((row, {})), sizes)
    payloads = reader.read(1, NO_BOUND)
    assert [len(chunk) for chunk in items_in(payloads)] == [2, 2, 2, 2]
    assert list(reader.begins) == [0, 2, 4, 6, 8]


def test_several_sequences_travel_by_column() -> None:
    reader = Chunks(zip("abc", range(3), strict=True), False, lambda row: dump((row, {})), FixedSizes(3))
    (frames,) = reader.read(2, NO_BOUND)
    assert load(frames)[0] == (("a", "b", "c"), (0, 1, 2))


# feeding ----------------------------------------------------------------------------------------------------------------


def test_a_window_of_tasks_is_under_way_and_goes_on_as_they_end(world: LoopbackWorld) -> None:
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in range(500):
            read.append(number)
            yield number

    result = Client().load_balanced_view().map_async(abs, source())
    assert len(read) == 2 * AHEAD  # tasks of one item, until one has been measured
    world.run()
    assert result.get() == list(range(500))
    assert world.client.feeding == 0


@pytest.mark.parametrize("chunksize", [None, 1, 2, 50])
def test_a_buffer_bounds_what_has_not_ended(world: LoopbackWorld, chunksize: int | None) -> None:
    read: list[int] = []
    view = Client().load_balanced_view()
    result = view.map_async(abs, (read.append(number) or number for number in range(60)), buffersize=5, chunksize=chunksize)
    assert isinstance(result, TaskMapResult)
    while not result.done():
        assert len(read) <= result.tasks.ended_items + 5
        world.settle()
        for engine in (0, 1):
            if world.engines[engine].due is not None:
                world.begin(engine)
                world.finish(engine)
        world.settle()
    assert result.get() == list(range(60))


@pytest.mark.parametrize("chunksize", [None, 1, 3])
def test_a_source_that_breaks_at_once_submits_nothing(world: LoopbackWorld, chunksize: int | None) -> None:
    view = Client().load_balanced_view()
    with pytest.raises(LookupError, match="the source broke"):
        view.map_async(abs, breaking(2), chunksize=chunksize)
    with pytest.raises(SerializeError, match="the arguments of abs cannot be pickled"):
        view.map_async(abs, [1, (number for number in ())], chunksize=chunksize)
    assert world.client.idle


def test_a_source_that_breaks_late_is_the_error_of_the_result(world: LoopbackWorld) -> None:
    result = Client().load_balanced_view().map_async(abs, breaking(100))
    world.run()
    values = iter(result)
    assert [next(values) for _ in range(100)] == list(range(100))
    for ask in (lambda: next(values), result.get):
        with pytest.raises(LookupError, match="the source broke"):
            ask()


def test_an_endless_map_that_is_cancelled_ends(world: LoopbackWorld) -> None:
    result = Client().load_balanced_view().map_async(abs, count())
    with world.attended():
        assert result.cancel()
    assert result.cancelled()
    assert world.client.idle


@pytest.mark.parametrize("item", [-1, bytes(SMALL + 1)])
def test_what_is_read_while_another_thread_cancels_is_not_submitted(world: LoopbackWorld, item: Any) -> None:
    """The last moment: what was read is about to be sent, and another thread has just asked what is under way."""
    result = Client().load_balanced_view().map_async(bool, count(), chunksize=1)
    assert isinstance(result, TaskMapResult)
    submitted, feed = result.msg_ids, result.source
    assert isinstance(feed, Feed)
    result.under_way()
    feed._submission.send(result, [dump(((item,), {}))])
    assert result.msg_ids == submitted


@pytest.mark.parametrize("moment", ["as it is read", "as it is sent"])
def test_what_is_read_while_another_thread_refuses_is_not_submitted(
    world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Two last moments: what was read is about to be looked at, or to be sent, and another thread has just shut down the executor."""
    executor = Client().executor()
    values = executor.map(abs, count(), buffersize=3)
    (feed,) = executor._intake._feeds()
    before = feed._result.msg_ids

    def refuse(*_: Any) -> None:
        executor._intake.stop_reading()

    if moment == "as it is read":
        monkeypatch.setattr(type(feed._reader), "error", property(refuse, lambda *_: None), raising=False)
    else:
        send = feed._submission.send
        monkeypatch.setattr(feed._submission, "send", lambda *args: (refuse(), send(*args)))
    with world.working(), pytest.raises(RuntimeError, match="shut down"):
        list(values)
    assert (feed._result.msg_ids, world.client.feeding) == (before, 0)


def test_something_is_read_however_late_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with others may take longer to begin than reading should take in all."""
    late = count(0.0, 1.0)
    monkeypatch.setattr("mpikernel.client.reading.time.monotonic", lambda: next(late))
    for reader in (singles(iter(range(9))), chunks(iter(range(9)), 3)):
        assert len(reader.read(5, NO_BOUND)) == 1
