"""A payload that was made before: opened as often as one likes, and passed on inside of others."""

from __future__ import annotations

import pickle

import numpy
import pytest

from mpikernel import Reference, Serialized, serialize
from mpikernel.client.serialized import frames_of
from mpikernel.errors import SerializeError, UsageError
from mpikernel.wire.envelope import Frame
from mpikernel.wire.functions import new_namespace
from mpikernel.wire.payload import Frames, dump, load

COUNT = 100_000


def travelled(frames: Frames) -> list[Frame]:
    return [memoryview(bytearray(frame)) for frame in frames]


def test_it_says_what_it_is_and_how_large() -> None:
    payload = serialize(numpy.zeros(COUNT))
    assert 8 * COUNT < len(payload) < 8 * COUNT + 1000
    assert repr(payload) == f"<Serialized: the serialized ndarray, {len(payload)} bytes>"
    assert payload


def test_its_arrays_are_not_copied_when_it_is_made_nor_when_it_is_pushed() -> None:
    array = numpy.zeros(COUNT)
    payload = serialize([array])
    for frames in (payload.frames, frames_of({"x": payload})):
        assert any(len(frame) == array.nbytes and numpy.shares_memory(numpy.frombuffer(frame, "f8"), array) for frame in frames)


def test_each_value_that_it_is_opened_to_has_memory_of_its_own() -> None:
    array = numpy.zeros(COUNT)
    payload = serialize([array, b"x" * (1 << 20)])
    first, second = payload.load(), payload.load()
    first[0][:] = 1
    assert (array.sum(), second[0].sum()) == (0, 0)
    assert second[1] == b"x" * (1 << 20)


def test_it_is_opened_where_it_is_pushed_to() -> None:
    payloads = {"a": serialize([numpy.arange(COUNT), "text"]), "b": serialize(b"x" * (1 << 20)), "c": serialize(Reference("own"))}
    a, b, c = load(travelled(frames_of(payloads)), {**new_namespace(), "own": 7})
    assert numpy.array_equal(a[0], numpy.arange(COUNT))
    assert a[0].flags.writeable
    assert (a[1], b, c) == ("text", b"x" * (1 << 20), 7)


def test_away_from_engines_a_reference_in_it_stays_one() -> None:
    (reference,) = load(travelled(frames_of({"x": serialize(Reference("own"))})))
    assert repr(reference) == "Reference('own')"


def test_what_came_in_one_goes_on_in_another() -> None:
    first = Serialized(travelled(serialize({"x": numpy.arange(COUNT)}).frames), "x")
    second = Serialized(travelled(serialize(load(travelled(frames_of({"x": first})))).frames), "x")
    assert second.load()[0]["x"].sum() == numpy.arange(COUNT).sum()


def test_it_may_be_part_of_any_value() -> None:
    payload = serialize([numpy.arange(COUNT), b"x" * (1 << 20)])
    there = load(travelled(dump({"payload": payload})))["payload"]
    assert isinstance(there, Serialized)
    assert (len(there), repr(there)) == (len(payload), repr(payload))
    assert numpy.array_equal(there.load()[0], numpy.arange(COUNT))


def test_what_is_not_serialized_is_refused() -> None:
    with pytest.raises(UsageError, match=r"pushed as x is not Serialized, but of type bytes: use push, or serialize\(\) it first"):
        frames_of({"x": pickle.dumps(1)})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="takes a dict of names and Serialized values, not Serialized"):
        frames_of(serialize(1))  # type: ignore[arg-type]


def test_what_cannot_be_serialized_is_named() -> None:
    with pytest.raises(SerializeError, match="the serialized generator cannot be pickled"):
        serialize(number for number in range(3))
