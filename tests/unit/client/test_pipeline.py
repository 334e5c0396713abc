"""Pipelines: what is read when, what is under way at a time, and the order of what comes out. There are no engines here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.client.pipeline import Pipeline, check_count
from mpikernel.errors import PoolTimeoutError, UsageError


class Chunk:
    """Stands for the result of a call that negates: done when it is told so."""

    def __init__(self, rows: list[tuple[int]], done: bool) -> None:
        self.rows = rows
        self.is_done = done

    def done(self) -> bool:
        return self.is_done

    def __iter__(self) -> Iterator[int]:
        for (number,) in self.rows:
            if number < 0:
                raise ValueError(f"{number} is negative")
            yield -number


class Calls:
    """Takes chunks, and remembers them."""

    def __init__(self, done: bool = True) -> None:
        self.chunks: list[Chunk] = []
        self._done = done

    def submit(self, rows: list[tuple[int]]) -> Any:
        self.chunks.append(Chunk(rows, self._done))
        return self.chunks[-1]


def wait(condition: Callable[[], bool], timeout: float | None) -> bool:
    assert timeout is None or timeout >= 0
    return condition()


def pipeline(calls: Calls, items: Any, chunksize: int = 1, bound: int | None = None, **options: Any) -> Pipeline:
    return Pipeline(calls.submit, wait, ((item,) for item in items), chunksize, bound, **options)


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 25), st.none() | st.integers(1, 25), st.booleans())
def test_values_come_in_order_whatever_the_sizes(items: list[int], chunksize: int, bound: int | None, ordered: bool) -> None:
    calls = Calls()
    assert list(pipeline(calls, items, chunksize, bound, ordered=ordered)) == [-item for item in items]
    assert [row for chunk in calls.chunks for row in chunk.rows] == [(item,) for item in items]
    assert all(len(chunk.rows) == chunksize for chunk in calls.chunks[:-1])


def test_no_more_is_read_than_the_bound_has_room_for() -> None:
    calls = Calls()
    values = pipeline(calls, itertools.count(), chunksize=2, bound=3)
    assert [chunk.rows for chunk in calls.chunks] == [[(0,), (1,)], [(2,), (3,)], [(4,), (5,)]]
    assert next(values) == 0
    assert len(calls.chunks) == 4  # the first is done, so there is room
    assert next(values) == -1
    assert len(calls.chunks) == 4
    assert values.left == calls.chunks[1:]


def test_whichever_is_done_comes_first() -> None:
    calls = Calls(done=False)
    values = pipeline(calls, range(3), ordered=False)
    calls.chunks[2].is_done = True
    assert next(values) == -2
    calls.chunks[0].is_done = calls.chunks[1].is_done = True
    assert list(values) == [0, -1]


@pytest.mark.parametrize("ordered", [True, False])
def test_what_comes_late_can_be_asked_for_again(ordered: bool) -> None:
    calls = Calls(done=False)
    values = pipeline(calls, range(2), ordered=ordered, late=PoolTimeoutError)
    for timeout in (0.5, 0.0, -1.0):
        with pytest.raises(PoolTimeoutError, match="2 calls are under way"):
            values.next(timeout)
    for chunk in calls.chunks:
        chunk.is_done = True
    assert list(values) == [0, -1]


def test_one_may_go_on_after_a_failure() -> None:
    values = pipeline(Calls(), [1, -2, 3])
    assert next(values) == -1
    with pytest.raises(ValueError, match="-2 is negative"):
        next(values)
    assert list(values) == [-3]


@given(st.integers(0, 6), st.integers(1, 4), st.none() | st.integers(1, 4))
def test_what_reading_raises_comes_after_what_was_read(good: int, chunksize: int, bound: int | None) -> None:
    def items() -> Iterator[int]:
        yield from range(good)
        raise KeyError("broken")

    values = pipeline(Calls(), items(), chunksize, bound)
    assert [next(values) for _ in range(good)] == [-number for number in range(good)]
    with pytest.raises(KeyError, match="broken"):
        next(values)
    assert list(values) == []  # told once


@pytest.mark.parametrize("count", [0, -1, 1.0, "1", None, True])
def test_counts(count: object) -> None:
    with pytest.raises(UsageError, match=f"size={count!r} makes no sense"):
        check_count("size", count)
