"""Maps item by item: whatever the sizes, chunks, failures and order of arrival, everything comes out in its place."""

from __future__ import annotations

import threading
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpikernel.client.client import Client
from mpikernel.client.here import close_port, open_port
from mpikernel.client.items import ItemByItem
from mpikernel.client.result import AsyncMapResult
from mpikernel.engine.state import Job
from mpikernel.errors import CompositeError, ItemsFailed, SerializeError, TaskReject, UsageError, remote_text
from mpikernel.testing.loopback import LoopbackWorld, call_it
from mpikernel.wire.payload import load

chunksizes = st.none() | st.integers(1, 7)
buffersizes = st.none() | st.integers(1, 9)


def refuse(item: tuple[int, bool]) -> int:
    number, bad = item
    if bad:
        raise ValueError(f"{number} is bad")
    return number


def told(value: Any) -> Any:
    """A value, or the text of an exception in its place."""
    return str(value) if isinstance(value, ValueError) else value


def in_any_order(bad: list[bool], chunksize: int | None, buffersize: int | None, order: st.DataObject, **options: Any) -> AsyncMapResult:
    """A map that is done; the engines run its tasks in an order that hypothesis draws."""
    world = LoopbackWorld(engines=3)
    open_port(world.port)
    try:
        view = Client().load_balanced_view()
        result = view.map_async(refuse, list(enumerate(bad)), chunksize=chunksize, buffersize=buffersize, **options)
        while not result.done():
            world.settle()
            busy = [state.id for state in world.engines if state.due is not None]
            if busy:
                engine = order.draw(st.sampled_from(busy))
                world.begin(engine)
                world.clock.advance(0.001)
                world.finish(engine)
        return result
    finally:
        close_port()


@settings(max_examples=40)
@given(st.lists(st.booleans(), max_size=25), chunksizes, buffersizes, st.booleans(), st.data())
def test_values_and_exceptions_come_in_their_places(
    bad: list[bool], chunksize: int | None, buffersize: int | None, ordered: bool, data: st.DataObject
) -> None:
    result = in_any_order(bad, chunksize, buffersize, data, return_exceptions=True, ordered=ordered)
    expected = [f"{number} is bad" if failed else number for number, failed in enumerate(bad)]
    assert [told(value) for value in result.get()] == expected
    streamed = [told(value) for value in result]
    assert (streamed if ordered else sorted(streamed, key=str)) == (expected if ordered else sorted(expected, key=str))
    assert result.successful()


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=25), chunksizes, buffersizes, st.data())
def test_a_map_raises_at_the_first_item_that_failed(
    bad: list[bool], chunksize: int | None, buffersize: int | None, data: st.DataObject
) -> None:
    result = in_any_order(bad, chunksize, buffersize, data)
    failed = [number for number, each in enumerate(bad) if each]
    values, raised = [], []
    try:
        for value in result:
            values.append(value)
    except ValueError as error:
        raised.append(str(error))
    assert raised == [f"{number} is bad" for number in failed[:1]]
    assert values == list(range(failed[0] if failed else len(bad)))
    if failed:
        with pytest.raises(
            CompositeError, match=f"in {len(failed)} of {len(bad)} calls .items {', '.join(map(str, failed[:5]))}"
        ) as caught:
            result.get()
        assert [str(error) for error in caught.value.exceptions] == [f"{number} is bad" for number in failed]
        assert {row[3] for row in caught.value.elist} <= {0, 1, 2}


@settings(max_examples=40)
@given(st.lists(st.booleans(), max_size=25), chunksizes, buffersizes)
def test_imap_gives_the_same(bad: list[bool], chunksize: int | None, buffersize: int | None) -> None:
    world = LoopbackWorld(engines=2)
    open_port(world.port)
    try:
        with world.working():
            view = Client().load_balanced_view()
            values = view.imap(refuse, enumerate(bad), chunksize=chunksize, buffersize=buffersize, return_exceptions=True)
            assert [told(value) for value in values] == [f"{number} is bad" if each else number for number, each in enumerate(bad)]
    finally:
        close_port()


CALLS: list[int] = []


def odd_the_third_time(number: int) -> int:
    CALLS.append(number)
    if number % 2 and CALLS.count(number) < 3:
        raise ValueError(number)
    return number


@pytest.mark.parametrize("chunksize", [1, 4, None])
def test_retries_are_the_items_own(working: LoopbackWorld, chunksize: int | None) -> None:
    CALLS.clear()
    view = Client().load_balanced_view()
    with view.temp_flags(retries=2):
        assert view.map_sync(odd_the_third_time, range(8), chunksize=chunksize) == list(range(8))
    assert sorted(CALLS) == sorted([0, 2, 4, 6] + 3 * [1, 3, 5, 7])


def reject_three(number: int) -> int:
    if number == 3:
        raise TaskReject("not here")
    return number


def test_what_an_item_says_of_the_engine_is_the_chunks() -> None:
    with pytest.raises(TaskReject):
        ItemByItem(reject_three, 5, None)([1, 2, 3, 4])


def test_an_item_that_ends_a_loop_ends_only_itself() -> None:
    with pytest.raises(ItemsFailed, match="1 of 3 items failed, the first: StopIteration") as caught:
        ItemByItem(next, 0, None)([iter([1]), iter([]), iter([2])])
    assert [frames and load(frames) for frames in caught.value.values] == [1, None, 2]


class LostOnTheWay:
    """Can be pickled, and not be rebuilt."""

    def __reduce__(self) -> Any:
        return inverse, (0,)


def inverse(number: int) -> float:
    return 1 / number


def bad_in_three_ways(number: int) -> Any:
    if number == 1:
        raise ValueError("1 is bad")
    return {2: threading.Lock(), 4: LostOnTheWay()}.get(number, number)


@pytest.mark.parametrize("flags", [{}, {"retries": 1}, {"recovery": bad_in_three_ways}])
def test_beside_an_item_that_failed_a_value_that_cannot_travel_costs_no_other_one(working: LoopbackWorld, flags: dict[str, Any]) -> None:
    view = Client().load_balanced_view()
    with view.temp_flags(**flags):
        result = view.map_async(bad_in_three_ways, range(6), chunksize=6, return_exceptions=True)
    values = result.get()
    assert [value for value in values if isinstance(value, int)] == [0, 3, 5]
    assert told(values[1]) == "1 is bad"
    assert isinstance(values[2], SerializeError)
    assert "the value of item 2 of its task cannot be pickled (lock" in str(values[2])
    assert isinstance(values[4], SerializeError)
    assert "cannot be rebuilt here: ZeroDivisionError" in str(values[4])


def test_they_are_named_in_their_order(working: LoopbackWorld) -> None:
    with pytest.raises(CompositeError, match=r"bad_in_three_ways failed in 3 of 6 calls \(items 1, 2, 4\)") as caught:
        Client().load_balanced_view().map_sync(bad_in_three_ways, range(6), chunksize=6)
    assert [type(error) for error in caught.value.exceptions] == [ValueError, SerializeError, SerializeError]


def zeros_or_nothing(number: int) -> Any:
    return array("d", bytes(8 * 1000)) if number else inverse(number)


def test_arrays_beside_an_item_that_failed_arrive_writable(working: LoopbackWorld) -> None:
    view = Client().load_balanced_view()
    _, zeros = view.map_async(lambda number: memoryview(zeros_or_nothing(number)), range(2), chunksize=2, return_exceptions=True).get()
    zeros[0] = 1.0
    assert list(zeros[:2]) == [1.0, 0.0]


@pytest.mark.parametrize("chunksize", [None, 3])
def test_an_error_names_engine_function_and_item(working: LoopbackWorld, chunksize: int | None) -> None:
    result = Client().load_balanced_view().map_async(refuse, [(number, number == 44) for number in range(80)], chunksize=chunksize)
    with pytest.raises(CompositeError, match=r"refuse failed in 1 of 80 calls \(items 44\): \[engine \d\] ValueError: 44 is bad") as caught:
        result.get()
    assert "in refuse, item" in remote_text(caught.value.exceptions[0])


def test_what_is_of_the_whole_chunk_is_each_items(working: LoopbackWorld) -> None:
    def perform(number: int, job: Job) -> Any:
        if job.command.call == 1:
            raise MemoryError("all of it")
        return call_it(number, job)

    working._perform = perform
    view = Client().load_balanced_view()
    with pytest.raises(CompositeError, match=r"abs failed in 3 of 9 calls \(items 3-5\): .*MemoryError: all of it"):
        view.map_sync(abs, range(9), chunksize=3)


def test_length_and_progress_count_items_or_tasks(working: LoopbackWorld) -> None:
    view = Client().load_balanced_view()
    by_items, by_tasks = view.map_async(abs, range(30)), view.map_async(abs, range(30), chunksize=4)
    assert (len(by_items), len(by_tasks)) == (30, 8)
    assert (by_items.wait(), by_tasks.wait()) == (True, True)
    assert (by_items.progress, by_tasks.progress) == (30, 8)
    assert len(by_items.msg_ids) < 30


def test_progress_is_shown_where_the_call_waits(working: LoopbackWorld, capsys: pytest.CaptureFixture[str]) -> None:
    view = Client().load_balanced_view()
    assert view.map_sync(abs, iter(range(5)), progress=True) == list(range(5))
    assert view.map(pow, range(3), iter([2, 2]), block=True, progress=True) == [0, 1]
    assert "abs 100% (5/5)" in capsys.readouterr().err
    with pytest.raises(UsageError, match="wait_interactive"):
        view.map(abs, [1], progress=True)


@pytest.mark.parametrize("chunksize", [None, 1, 3])
def test_values_by_engine_are_of_the_last_item_there(working: LoopbackWorld, chunksize: int | None) -> None:
    result = Client().load_balanced_view().map_async(abs, range(-20, 0), chunksize=chunksize)
    values, last = result.get(10), dict[int, int]()
    for call in result.calls:
        size = 1 if chunksize == 1 else len(call.value())
        last[call.engine], values = values[size - 1], values[size:]
    assert result.get_dict() == last
    assert not values
    assert Client().load_balanced_view().map_async(abs, []).get_dict() == {}


def test_what_is_known_of_its_tasks_is_there_by_its_names(working: LoopbackWorld) -> None:
    result = Client().load_balanced_view().map_async(abs, range(30), chunksize=4)
    assert result.wait(10)
    rows = result.metadata
    assert isinstance(rows, list)
    assert result.submitted == [row.submitted for row in rows]
    assert (len(rows), result.status) == (8, ["ok"] * 8)
