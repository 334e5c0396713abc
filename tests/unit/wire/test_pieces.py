"""Large bytes inside a pickle are sent from where they lie, and a stream in pieces is read as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mpikernel.errors import SerializeError
from mpikernel.wire.functions import Reference, new_namespace
from mpikernel.wire.payload import dump, load
from mpikernel.wire.pieces import EDGE, LARGE, PiecesFile

FRAMING = 1 << 16  # bytes from which on Python's pickler treats an object as large


def there(value: Any, home: dict[str, Any] | None = None) -> Any:
    return load([bytearray(frame) for frame in dump(value)], home)


@dataclass
class Parcel:
    label: str
    inside: list[Any]


@pytest.mark.parametrize("length", [around + step for around in (FRAMING, EDGE, LARGE) for step in (-1, 0, 1)] + [3 * LARGE])
@pytest.mark.parametrize("make", [lambda n: b"\xff" * n, lambda n: bytearray(b"\x01") * n, lambda n: "x" * n, lambda n: "ä" * n])
def test_large_values_arrive_at_any_depth(make: Any, length: int) -> None:
    sent = {"a": [make(length), (make(length), 3)], "b": Parcel("p", [make(length), "end"])}
    arrived = there(sent)
    assert arrived == sent
    assert type(arrived["a"][0]) is type(sent["a"][0])


def test_large_bytes_are_not_copied_by_who_sends_them() -> None:
    sent = bytes(LARGE), bytearray(LARGE)
    frames = dump(sent)
    assert any(frame is sent[0] for frame in frames)
    assert any(isinstance(frame, memoryview) and frame.obj is sent[1] for frame in frames)
    assert sum(len(frame) for frame in frames) < 2 * LARGE + 100


def test_smaller_ones_are_in_one_piece_with_the_rest() -> None:
    assert len(dump([bytes(LARGE - 1), bytearray(LARGE - 1), list(range(100_000))])) == 1


def test_a_long_stream_of_small_things_is_one_piece() -> None:
    sent = list(range(1000, 300_000))
    assert len(dump(sent)) == 1
    assert there(sent) == sent


def test_one_value_in_many_places_is_one_there() -> None:
    value = bytes(LARGE)
    first, second = there([value, value])
    assert first is second


def test_what_a_reference_means_is_found_beside_large_values() -> None:
    home = {**new_namespace(), "x": 7}
    filler = [1 << 40] * 50_000  # more than what is looked at of a large value
    sent = [bytes(LARGE), Reference("x"), filler, Reference("x"), bytearray(LARGE)]
    assert there(sent, home) == [bytes(LARGE), 7, filler, 7, bytearray(LARGE)]
    assert there([filler, Reference("x")], home)[1] == 7


def test_marks_within_large_values_are_the_users_own() -> None:
    sent = [b"__main__" * LARGE, bytes(LARGE) + b"mpikernel.wire.functions"]
    assert there(sent, new_namespace()) == sent


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_frames_that_are_missing_are_an_error(cut: int) -> None:
    with pytest.raises(SerializeError, match="the result of f cannot be rebuilt here"):
        load(dump([bytes(LARGE), 1])[:-cut], what="the result of f")


# as a file ----------------------------------------------------------------------------------------------------------------


def test_pieces_are_read_across_their_ends() -> None:
    file = PiecesFile([b"ab", bytearray(b""), memoryview(b"cdef"), b"g\nhi\nj"])
    room = bytearray(3)
    assert file.readinto(memoryview(room)) == 3
    assert room == b"abc"
    assert file.read(2) == b"de"
    assert file.readline() == b"fg\n"
    assert file.readline() == b"hi\n"
    assert file.read(5) == b"j"
    assert (file.read(5), file.readline(), file.readinto(memoryview(room))) == (b"", b"", 0)
