"""Both halves of the mirror remember and forget the same, so nothing is named that the other side does not have."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.errors import OurProtocolError
from mpikernel.wire.mirror import Kept, Sent

KEYS = 8


@given(
    keys=st.lists(st.integers(0, KEYS - 1)),
    weights=st.lists(st.integers(0, 9), min_size=KEYS, max_size=KEYS),
    capacity=st.integers(1, 5),
    heaviest=st.integers(0, 20),
)
def test_they_agree(keys: list[int], weights: list[int], capacity: int, heaviest: int) -> None:
    sent, kept = Sent(capacity, heaviest), Kept[int](capacity, heaviest)
    for number in keys:
        key, weight = bytes([number]), weights[number]
        if sent.knows(key, weight):
            assert kept.get(key) == number
        else:
            assert kept.put(key, number, weight) == number
        held = [other for other in range(KEYS) if bytes([other]) in kept]
        assert number in held
        assert len(held) <= capacity
        assert len(held) == 1 or sum(weights[other] for other in held) <= heaviest


def test_what_is_used_is_not_forgotten() -> None:
    sent = Sent(2)
    assert [sent.knows(key, 1) for key in (b"a", b"b", b"a", b"c", b"a", b"b")] == [False, False, True, False, True, False]


def test_the_oldest_go_until_the_rest_is_light_enough() -> None:
    kept = Kept[str](heaviest=10)
    for key, weight in ((b"a", 3), (b"b", 3), (b"c", 4), (b"d", 5)):
        kept.put(key, "", weight)
    assert [key in kept for key in (b"a", b"b", b"c", b"d")] == [False, False, True, True]


def test_what_is_too_heavy_is_kept_alone_until_the_next_comes() -> None:
    sent = Sent(heaviest=10)
    heavy, light = (b"heavy", 11), (b"light", 1)
    assert [sent.knows(*use) for use in (light, heavy, heavy, light, heavy)] == [False, False, True, False, False]


def test_what_comes_again_weighs_once() -> None:
    kept = Kept[int](heaviest=10)
    kept.put(b"a", 0, 4)
    for number in range(5):
        kept.put(b"b", number, 6)
    assert b"a" in kept
    assert kept.get(b"b") == 4


def test_what_the_receiver_could_not_take_is_sent_once_more() -> None:
    sent = Sent()
    assert not sent.knows(b"a", 1)
    sent.lost(b"a")
    assert b"a" not in sent
    assert [sent.knows(b"a", 1), sent.knows(b"a", 1), b"a" in sent] == [False, True, True]


def test_what_is_forgotten_anyway_is_not_remembered_as_lost() -> None:
    sent = Sent(1)
    assert [sent.knows(key, 1) for key in (b"a", b"b")] == [False, False]
    sent.lost(b"a")
    assert not sent.knows(b"a", 1)
    assert sent.knows(b"a", 1)


def test_what_is_held_goes_when_the_receiver_forgets() -> None:
    class Held:
        """What somebody keeps."""

    sent, first = Sent(1), Held()
    gone = weakref.ref(first)
    assert not sent.knows(b"a", 1, first)
    del first
    assert sent.knows(b"a", 1)
    assert gone() is not None
    assert not sent.knows(b"b", 1)
    assert gone() is None


def test_what_was_never_sent_is_our_own_fault() -> None:
    with pytest.raises(OurProtocolError, match="the function 6162 was named but never sent, or forgotten too early"):
        Kept[int]().get(b"ab")
