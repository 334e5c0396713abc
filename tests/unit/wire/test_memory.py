"""Memory to receive into."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.errors import SerializeError
from mpikernel.wire.memory import MAPPED, Pool, rounded, take


@pytest.mark.parametrize("size", [0, 1, 100, MAPPED - 1, MAPPED, MAPPED + 1])
def test_it_is_writable_bytes_of_that_size(size: int) -> None:
    room = take(size)
    assert (len(room), room.itemsize, room.readonly) == (size, 1, False)
    room[:] = b"x" * size
    assert room == b"x" * size


def test_it_lives_as_long_as_a_view_of_it() -> None:
    view = memoryview(take(2 * MAPPED))[MAPPED:]
    gc.collect()
    view[:3] = b"abc"
    assert bytes(view[:3]) == b"abc"


def test_it_is_used_again_once_nobody_holds_it() -> None:
    pool = Pool()
    first = pool.take(MAPPED)
    first[:4] = b"mine"
    part = first[:10]
    del first
    other = pool.take(MAPPED)
    assert bytes(other[:4]) != b"mine", "it was given away while somebody held a part of it"
    del part
    assert pool.kept == MAPPED
    again = pool.take(MAPPED - 1)
    assert (bytes(again[:4]), len(again), pool.kept) == (b"mine", MAPPED - 1, 0)


def test_no_more_of_it_is_kept_than_the_limit_says() -> None:
    pool = Pool(limit=3 * MAPPED)
    rooms = [pool.take(MAPPED) for _ in range(5)]
    del rooms
    assert pool.kept == 3 * MAPPED
    room = pool.take(4 * MAPPED)
    del room
    assert pool.kept == 3 * MAPPED, "what is larger than the limit is not kept, and drives nothing out"


def test_arrays_hold_it() -> None:
    numpy = pytest.importorskip("numpy")
    pool = Pool()
    array = numpy.frombuffer(pool.take(MAPPED), numpy.uint8)[5:]
    gc.collect()
    assert pool.kept == 0
    del array
    assert pool.kept == MAPPED


def test_threads_may_take_and_drop_at_the_same_time() -> None:
    pool = Pool(limit=8 * MAPPED)

    def work(mark: int) -> None:
        for _ in range(300):
            room = pool.take(MAPPED)
            room[:8] = bytes([mark] * 8)
            assert bytes(room[:8]) == bytes([mark] * 8)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert pool.kept <= 8 * MAPPED


@given(size=st.integers(MAPPED, 2**45))
def test_little_of_an_area_is_left_unused(size: int) -> None:
    assert size <= rounded(size) <= size * 9 / 8 + 1
    assert rounded(rounded(size)) == rounded(size)


def test_too_much_of_it_is_an_error_that_says_how_much() -> None:
    with pytest.raises(SerializeError, match=f"no memory for a buffer of {2**62} bytes on this rank"):
        take(2**62)
