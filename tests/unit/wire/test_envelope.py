"""Envelopes: what is sealed comes out again, small frames inside, large ones behind it in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpikernel.wire.envelope import Frame, Parcel, Route, open_envelope, seal, split
from mpikernel.wire.messages import Clear, Keys

small = st.binary(max_size=20)
frames: st.SearchStrategy[list[Frame]] = st.lists(small | small.map(bytearray) | small.map(lambda data: memoryview(data)), max_size=4)
ranks = st.integers(0, 10**6)
routes = st.builds(Route, ranks, st.lists(ranks, max_size=2).map(tuple))
parcels = st.lists(st.builds(Parcel, st.builds(Keys, st.integers(0, 99)), frames, st.none() | routes, st.none()), max_size=8)


def plain(parcels: list[Parcel]) -> list[tuple[object, list[bytes], object]]:
    return [(parcel.message, [bytes(frame) for frame in parcel.frames], parcel.route if parcel.frames else None) for parcel in parcels]


@given(parcels=parcels, threshold=st.integers(1, 25))
def test_round_trip(parcels: list[Parcel], threshold: int) -> None:
    envelope, with_large = seal(parcels, threshold)
    large = [frame for parcel in with_large for frame in parcel.frames]
    assert all(len(frame) >= threshold for frame in large)
    following = iter(large)
    arrived: list[Parcel] = []
    for message, came, route in open_envelope(bytearray(envelope), 0):
        whole: list[Frame] = []
        for frame in came:
            if isinstance(frame, int):
                whole.append(next(following))
                assert len(whole[-1]) == frame >= threshold
            else:
                assert len(frame) < threshold
                whole.append(frame)
        arrived.append(Parcel(message, whole, route))
    assert plain(arrived) == plain(parcels)
    assert next(following, None) is None


def test_large_frames_are_the_parcels_own_memory() -> None:
    frame = bytearray(100)
    _, [parcel] = seal([Parcel(Clear(1), [b"small", frame])], 100)
    assert len(parcel.frames) == 1
    assert parcel.frames[0] is frame


def test_small_buffers_get_memory_of_their_own() -> None:
    envelope, _ = seal([Parcel(Clear(1), [b"first", b"second", b"third"])], 100)
    data = bytearray(envelope)
    [(_, [first, second, third], _)] = open_envelope(data, 0)
    assert isinstance(second, bytearray)
    second[:] = b"SECOND"
    data[-5:] = b"xxxxx"
    assert [first, second, third] == [b"first", b"SECOND", b"third"]


def test_messages_without_frames_cost_no_sizes() -> None:
    with_sizes = len(seal([Parcel(Clear(1), [b""])] * 100, 10)[0])
    assert len(seal([Parcel(Clear(1))] * 100, 10)[0]) < with_sizes


@given(parcels=parcels, threshold=st.integers(1, 25), limit=st.integers(1, 300))
def test_split_keeps_everything_in_order_and_rows_small(parcels: list[Parcel], threshold: int, limit: int) -> None:
    rows = split(parcels, threshold, limit)
    assert [parcel for row in rows for parcel in row] == parcels
    for row in rows:
        small = sum(len(frame) for parcel in row for frame in parcel.frames if len(frame) < threshold)
        assert len(row) <= 1 or small <= limit
