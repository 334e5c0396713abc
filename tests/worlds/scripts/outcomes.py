"""What the documents promise of tasks under "What happens when ...". Runs in a world of any size, and leaves two failures unseen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from called import refuse_odd, square
from checks import raises, run_checks, wait_until

from mpikernel import Client
from mpikernel.errors import CompositeError, SerializeError

client = Client()
view = client.load_balanced_view()

#: More bytes than any host has.
TOO_MANY = 1 << 50


def zeros(count: int) -> Any:
    """They take no memory until they are sent."""
    return np.broadcast_to(np.uint8(0), count)


def check_a_result_that_is_too_large_fails_by_itself() -> None:
    with raises(SerializeError, "the result of zeros"):
        view.apply_sync(zeros, TOO_MANY)
    with raises(MemoryError):
        view.apply_sync(np.ones, TOO_MANY)
    small, large, other = view.map_sync(zeros, [1, TOO_MANY, 3], chunksize=1, return_exceptions=True)
    assert (len(small), type(large), len(other)) == (1, SerializeError, 3)
    with raises(CompositeError, "zeros failed in 1 of 30 calls (items 7)"):
        view.map_sync(zeros, [*[1] * 7, TOO_MANY, *[1] * 22], chunksize=1)
    assert view.apply_sync(square, 3) == 9


def check_a_result_that_is_too_large_costs_its_chunk_at_most() -> None:
    values = view.map_sync(zeros, [*[1] * 8, TOO_MANY, *[1] * 3], chunksize=4, return_exceptions=True)
    failed = [index for index, value in enumerate(values) if isinstance(value, SerializeError)]
    assert failed == [8, 9, 10, 11]


class BreaksWhenRebuilt:
    def __reduce__(self) -> Any:
        return open, ("/nowhere/at/all",)


def break_at_700(number: int) -> Any:
    return BreaksWhenRebuilt() if number == 700 else number


def check_a_result_that_cannot_be_rebuilt_costs_its_task_and_no_other() -> None:
    for chunksize in (1, 7, None):
        values = list(view.imap(break_at_700, range(1000), chunksize=chunksize, return_exceptions=True))
        assert len(values) == 1000
        failed = [index for index, value in enumerate(values) if isinstance(value, SerializeError)]
        assert 700 in failed
        assert chunksize is None or len(failed) == chunksize
        assert all(value == index for index, value in enumerate(values) if index not in failed)
        result, got = view.map_async(break_at_700, range(1000), chunksize=chunksize), []
        with raises(SerializeError, "result of break_at_700", "/nowhere/at/all"):
            for value in result:
                got.append(value)
        assert got == list(range(len(got)))
        assert chunksize is None or len(got) == 700
        with raises(SerializeError, "result of break_at_700"):
            result.get()


def check_what_nobody_holds_runs_all_the_same() -> None:
    written = [Path(f"written-{number}") for number in range(5)]
    for path in written:
        view.apply_async(Path.write_text, path.absolute(), "done")
    view.map_async(Path.write_text, [path.with_suffix(".map").absolute() for path in written], ["done"] * 5)
    assert client.wait(timeout=30)
    assert all(path.read_text() == path.with_suffix(".map").read_text() == "done" for path in written)
    state = client.port.state
    assert not state.open
    assert not state.batches


def check_a_callback_that_raises_harms_nobody() -> None:
    for make in (lambda: view.apply_async(square, 3), lambda: view.map_async(square, range(3)), lambda: client[:].apply_async(square, 3)):
        told = threading.Event()
        result = make()
        result.add_done_callback(lambda _: {}["a callback's own mistake"])
        result.add_done_callback(lambda _, told=told: told.set())
        assert result.wait(20)
        assert result.successful()
        wait_until(told.is_set)


def check_sequences_of_unequal_length() -> None:
    for chunksize in (1, 2, None):
        assert view.map_sync(pow, [2, 3, 4], iter([2, 2]), chunksize=chunksize) == [4, 9]
        assert list(view.imap(pow, [2, 3, 4], iter([2, 2]), chunksize=chunksize)) == [4, 9]


def breaking(good: int) -> Iterator[int]:
    yield from range(good)
    raise LookupError("the source broke")


def check_a_sequence_that_raises() -> None:
    for chunksize in (1, 20, None):
        with raises(LookupError, "the source broke"):
            view.map_async(square, breaking(2), chunksize=chunksize)
        for good in (3, 20_000):
            values = view.imap(square, breaking(good), chunksize=chunksize)
            assert [next(values) for _ in range(good)] == [x * x for x in range(good)]
            with raises(LookupError, "the source broke"):
                next(values)
        with raises(LookupError, "the source broke"):
            view.map_async(square, breaking(20_000), chunksize=chunksize).get()


def check_failures_that_nobody_asks_for() -> None:
    view.apply_async(refuse_odd, 1)
    view.map_async(refuse_odd, [0, 2, 3])
    assert client.wait(timeout=30)
    view.apply_async(refuse_odd, 5).exception()  # somebody did


run_checks(globals())
