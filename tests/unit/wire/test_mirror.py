"""Both halves of the mirror remember and forget the same, so nothing is named that the other side does not have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.errors import OurProtocolError
from mpikernel.wire.mirror import Kept, Sent


@given(keys=st.lists(st.integers(0, 7)), capacity=st.integers(1, 5))
def test_they_agree(keys: list[int], capacity: int) -> None:
    sent, kept = Sent(capacity), Kept[int](capacity)
    for number in keys:
        key = bytes([number])
        if sent.knows(key):
            assert kept.get(key) == number
        else:
            assert kept.put(key, number) == number
    assert list(sent._keys) == list(kept._values)
    assert len(sent._keys) <= capacity


def test_what_is_used_is_not_forgotten() -> None:
    sent = Sent(2)
    assert [sent.knows(key) for key in (b"a", b"b", b"a", b"c", b"a", b"b")] == [False, False, True, False, True, False]


def test_what_was_never_sent_is_our_own_fault() -> None:
    with pytest.raises(OurProtocolError, match="the function 6162 was named but never sent, or forgotten too early"):
        Kept[int]().get(b"ab")
