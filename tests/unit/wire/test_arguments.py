"""Arguments that have names go once to who keeps them, however they come and go, and a call that writes to its own spoils no other's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpikernel.wire.arguments import keep_arguments, leave_out, of_its_own, put_back, remember_arguments
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.memory import MAPPED
from mpikernel.wire.payload import size

CONTENTS = {b"%d" % number: bytes([number]) * (1 + 3 * number) for number in range(8)}
CALLS = st.lists(st.lists(st.sampled_from(sorted(CONTENTS)), max_size=4))


def missing(length: int) -> Missing:
    frame = Missing(b"no memory")
    frame.size = length
    return frame


@given(calls=CALLS, limit=st.integers(1, 60))
def test_both_sides_agree(calls: list[list[bytes]], limit: int) -> None:
    sent, kept = remember_arguments(limit), keep_arguments(limit)
    for names in calls:
        frames: list[Frame] = [b"pickle", *map(CONTENTS.__getitem__, names), b"small"]
        named = tuple(enumerate(names, 1))
        whole, lost = put_back(kept, named, leave_out(sent, named, frames))
        assert list(whole) == frames
        assert not lost
        held = [name for name in CONTENTS if name in kept]
        assert held == [name for name in CONTENTS if name in sent]
        assert len(held) <= 1 or sum(len(CONTENTS[name]) for name in held) <= limit


def test_each_goes_once() -> None:
    sent, named = remember_arguments(), ((1, b"a"), (2, b"b"))
    assert leave_out(sent, named, [b"1", b"x" * 9, b"y" * 9]) == [b"1", b"x" * 9, b"y" * 9]
    assert leave_out(sent, named, [b"2", b"x" * 9, b"y" * 9]) == [b"2", b"", b""]


@given(calls=CALLS, gaps=st.lists(st.booleans()), limit=st.integers(1, 60))
def test_what_there_was_no_memory_for_is_sent_again(calls: list[list[bytes]], gaps: list[bool], limit: int) -> None:
    sent, kept, short = remember_arguments(limit), keep_arguments(limit), iter(gaps)
    for names in calls:
        frames, named = [CONTENTS[name] for name in names], tuple(enumerate(names))
        came = [missing(len(frame)) if frame and next(short, False) else frame for frame in leave_out(sent, named, frames)]
        whole, lost = put_back(kept, named, came)
        assert size(whole) == size(frames)
        for name in lost:
            sent.lost(name)
            assert name not in sent
        for frame, name in zip(whole, names, strict=True):
            assert frame == CONTENTS[name] or name in lost


def test_each_call_has_its_own_copy_of_what_is_kept_and_of_nothing_else() -> None:
    large, small, own = bytearray(b"x" * (2 * MAPPED)), bytearray(b"y" * 10), bytearray(b"z")
    first, second = (of_its_own(((0, b"a"), (1, b"b")), [large, small, own]) for _ in range(2))
    for frame in first:
        memoryview(frame)[:] = bytes(len(frame))
    assert second[:2] == [large, small] == [b"x" * (2 * MAPPED), b"y" * 10]
    assert first[2] is own


def test_what_there_was_no_memory_for_is_passed_on_as_it_is() -> None:
    gap = missing(5)
    assert of_its_own(((0, b"a"),), [gap])[0] is gap


def test_calls_without_names_cost_nothing() -> None:
    frames = [b"pickle"]
    assert leave_out(remember_arguments(), (), frames) is frames
    assert put_back(keep_arguments(), (), frames) == (frames, ())
    assert of_its_own((), frames) is frames
