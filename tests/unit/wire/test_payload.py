"""What a user sends arrives as it was: every value, every kind of array, in memory that may be written to."""

from __future__ import annotations

import datetime
import gc
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.errors import SerializeError
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.functions import new_namespace
from mpikernel.wire.payload import IN_BAND, SHORT, dump, load, load_function, size

BIG = 1000  # items; enough for a frame of its own


def travel(frames: Iterable[Frame]) -> list[bytearray]:
    """The frames as they are on the other side: other memory, and writable."""
    return [bytearray(frame) for frame in frames]


def there(value: Any) -> Any:
    return load(travel(dump(value)))


def same(arrived: Any, sent: Any) -> bool:
    """Bitwise equal arrays of the same shape, type and order."""
    return (
        type(arrived) is type(sent)
        and arrived.dtype == sent.dtype
        and arrived.shape == sent.shape
        and arrived.tobytes("A") == sent.tobytes("A")
        and arrived.flags.f_contiguous >= (sent.flags.f_contiguous and not sent.flags.c_contiguous)
    )


def grid(dtype: Any = "f8") -> Any:
    return numpy.arange(BIG).astype(dtype).reshape(10, -1)


RECORD = numpy.dtype([("name", "S5"), ("where", "f8", (3,)), ("count", ">i2")])

ARRAYS: dict[str, Callable[[], Any]] = {
    "c order": grid,
    "f order": lambda: numpy.asfortranarray(grid()),
    "f order of three axes": lambda: numpy.asfortranarray(grid().reshape(2, 5, -1)),
    "one axis": lambda: grid().ravel(),
    "few items": lambda: numpy.arange(3),
    "no axis": lambda: numpy.array(3.5),
    "no items": lambda: numpy.empty((0, 3)),
    "no items in an axis behind": lambda: numpy.empty((3, 0, 2), "i4"),
    "bool": lambda: grid() % 3 == 0,
    "complex": lambda: grid() * 1j,
    "half": lambda: grid("f2"),
    "longdouble": lambda: grid(numpy.longdouble),
    "big endian": lambda: grid(">i8"),
    "nan and infinity": lambda: numpy.array([numpy.nan, -0.0, numpy.inf] * BIG),
    "bytes": lambda: grid("S7"),
    "text": lambda: grid("U7"),
    "datetime": lambda: numpy.datetime64("2026-01-01T00", "h") + numpy.arange(BIG),
    "timedelta": lambda: numpy.arange(BIG).astype("m8[us]"),
    "structured": lambda: numpy.zeros(BIG, RECORD),
    "void": lambda: numpy.zeros(BIG, "V9"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_arrive_bitwise_equal_and_writable(kind: str) -> None:
    sent = ARRAYS[kind]()
    arrived = there(sent)
    assert same(arrived, sent)
    assert arrived.flags.writeable
    arrived[...] = numpy.zeros((), arrived.dtype)


def test_an_array_of_objects_arrives() -> None:
    sent = numpy.array([None, "text", {"a": 1}, grid()], dtype=object)
    arrived = there(sent)
    assert list(arrived[:3]) == [None, "text", {"a": 1}]
    assert same(arrived[3], grid())


def test_arrays_at_any_depth_leave_the_pickle() -> None:
    sent = {"a": [grid(), (grid("i4"), {"b": numpy.asfortranarray(grid())})], "c": "text"}
    frames = dump(sent)
    assert len(frames) == 4
    assert size(frames[:1]) < 1000
    arrived = load(travel(frames))
    assert same(arrived["a"][0], grid())
    assert same(arrived["a"][1][0], grid("i4"))
    assert same(arrived["a"][1][1]["b"], numpy.asfortranarray(grid()))


def test_frames_are_the_memory_of_the_arrays_and_arrays_that_of_the_frames() -> None:
    sent = grid()
    frames = dump(sent)
    sent[0, 0] = 77.0
    came = travel(frames)
    arrived = load(came)
    assert arrived[0, 0] == 77.0
    arrived[:] = 1.0
    assert bytes(came[1]) == numpy.ones(BIG).tobytes()
    del came
    gc.collect()
    assert arrived.sum() == BIG


def test_an_array_that_is_sent_twice_in_one_payload_is_one_array_there() -> None:
    sent = grid()
    frames = dump([sent, sent])
    assert len(frames) == 2
    first, second = load(travel(frames))
    assert first is second


def test_small_buffers_stay_in_the_pickle() -> None:
    assert len(dump(numpy.zeros(IN_BAND - 1, "i1"))) == 1
    assert len(dump(numpy.zeros(IN_BAND, "i1"))) == 2


@pytest.mark.parametrize("length", [0, 1, IN_BAND, 100_000])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes_arrive(kind: type, length: int) -> None:
    sent = kind(b"\x00\xff" * length)
    arrived = there(sent)
    assert (type(arrived), arrived) == (kind, sent)


plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False) | st.text() | st.binary()
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


@given(value=values)
def test_plain_values_arrive(value: Any) -> None:
    assert there(value) == value


@pytest.mark.parametrize(
    "value",
    [
        Fraction(1, 3),
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        Path("a/b"),
        range(5),
        slice(1, 2),
        ...,
        {1, 2},
        int,
        len,
        "__main__",
    ],
)
def test_objects_of_libraries_arrive(value: Any) -> None:
    assert there(value) == value


class Buffers:
    """What a library's own arrays may look like: it hands out a buffer of any form."""

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def __reduce_ex__(self, protocol: Any) -> Any:
        import pickle  # here: only its name is needed

        return bytes, (pickle.PickleBuffer(self.view),)


def test_a_buffer_that_is_not_contiguous_is_an_error_that_names_the_thing() -> None:
    with pytest.raises(SerializeError, match="the arguments of f cannot be pickled"):
        dump(Buffers(memoryview(bytes(2000))[::2]), "the arguments of f")


def test_what_cannot_be_pickled_is_named() -> None:
    with pytest.raises(
        SerializeError, match=r"the arguments of f cannot be pickled \(list \[.*lock.*\]\): TypeError: cannot pickle '_thread.lock'"
    ):
        dump([threading.Lock()], "the arguments of f")


def test_what_cannot_even_be_shown_is_named_too() -> None:
    class Sullen:
        def __repr__(self) -> str:
            raise ValueError("no")

        def __reduce__(self) -> Any:
            raise ValueError("never")

    with pytest.raises(SerializeError, match=r"object cannot be pickled \(Sullen <.*\): ValueError: never"):
        dump(Sullen())


def test_long_values_are_shown_short() -> None:
    with pytest.raises(SerializeError) as caught:
        dump([threading.Lock(), "x" * 1000])
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("frames", [[b"no pickle"], [b""], [b"cno_such_module\nthing\n."], [b"\x80\x05\x97."]])
def test_what_cannot_be_rebuilt_is_named(frames: list[Frame]) -> None:
    with pytest.raises(SerializeError, match="the result of f cannot be rebuilt here: "):
        load(frames, what="the result of f")


@pytest.mark.parametrize("index", [0, 1])
def test_a_frame_that_there_was_no_memory_for_says_so(index: int) -> None:
    frames: list[Frame] = travel(dump([grid()]))
    frames[index] = Missing(b"no memory for a buffer of 8000 bytes on this rank (7 of 9)")
    reason = r"could not be received: no memory for a buffer of 8000 bytes on this rank \(7 of 9\)"
    with pytest.raises(SerializeError, match=f"the arguments of f {reason}"):
        load(frames, what="the arguments of f")
    with pytest.raises(SerializeError, match=f"the function f {reason}"):
        load_function(frames, new_namespace(), "f")


class TooMuch:
    """Asks for more memory than there is, when it is pickled or when it is rebuilt."""

    def __init__(self, here: bool) -> None:
        self.here = here

    def __reduce__(self) -> Any:
        if self.here:
            raise MemoryError
        return bytearray, (1 << 62,)


def test_memory_that_is_short_is_an_error_that_names_the_thing() -> None:
    with pytest.raises(SerializeError, match=r"the result of f cannot be pickled \(list .*: MemoryError: not enough memory on this rank"):
        dump([TooMuch(here=True)], "the result of f")
    with pytest.raises(SerializeError, match="the result of f cannot be rebuilt here: MemoryError: not enough memory on this rank"):
        load(dump([TooMuch(here=False)]), what="the result of f")


# picklers are used again ---------------------------------------------------------------------------------------------------------


def test_a_payload_does_not_depend_on_those_before_it() -> None:
    sent = {"name": "value", "array": numpy.arange(3)}
    frames = dump(sent)
    with pytest.raises(SerializeError):
        dump([sent, numpy.zeros(BIG), threading.Lock()])
    dump([sent, "x" * SHORT])
    dump([numpy.zeros(BIG)])
    assert dump(sent) == frames


class Within:
    """Makes a payload while it is pickled itself."""

    def __reduce__(self) -> Any:
        return list, ([size(dump(["name", numpy.zeros(BIG)]))],)


def test_a_payload_may_be_made_while_another_is() -> None:
    name = "".join(["na", "me"])
    with pytest.raises(SerializeError):
        dump([Within(), threading.Lock()])
    assert there([name, Within.__name__, name]) == ["name", "Within", "name"]


def test_what_was_sent_is_let_go_of() -> None:
    class Kept(list[int]):
        pass

    kept = Kept()
    gone = weakref.ref(kept)
    dump(("x", [kept.append]))
    del kept
    gc.collect()
    assert gone() is None


def test_threads_make_payloads_at_the_same_time() -> None:
    def make(number: int) -> bool:
        return all(there([number, step, numpy.full(BIG, number)])[0] == number for step in range(100))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(make, range(8)))
