"""Memory to receive into."""

from __future__ import annotations

import gc

import pytest

from mpikernel.errors import SerializeError
from mpikernel.wire.memory import MAPPED, take


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
    assert bytes(view[:4]) == b"abc\0"


def test_too_much_of_it_is_an_error_that_says_how_much() -> None:
    with pytest.raises(SerializeError, match=f"no memory for a buffer of {2**62} bytes on this rank"):
        take(2**62)
