"""Any value, sent over a transport to a peer that opens it, closes it again and sends it back; and what must be the same then.

The peer runs in the same process or in another one, of an MPI world. Values are Hypothesis's: structures of arrays of every
type, form and size, and of all else that is a block of memory.
"""

from __future__ import annotations

import array
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random
from typing import Any

import numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mpikernel.wire.envelope import Parcel
from mpikernel.wire.messages import Clear, Push
from mpikernel.wire.payload import IN_BAND, dump, load
from mpikernel.wire.pieces import LARGE
from mpikernel.wire.transport import Transport

#: Frames from this size on go by themselves, as in a real world; Python's pickler takes it for large as well.
THRESHOLD = 1 << 16
#: In pieces of so many bytes, where the transport makes pieces: what is in one frame is in several of them.
CHUNK = 3 << 15
BOUNDARIES = (IN_BAND, THRESHOLD, CHUNK, 2 * CHUNK, LARGE)
SIZES = [0, 1, *(boundary + step for boundary in BOUNDARIES for step in (-1, 0, 1))]
LIMIT = 10.0  # seconds for one way there and back

Wait = Callable[[], object]


@dataclass
class Held:
    """A dataclass, as users have them."""

    first: Any
    second: Any


# what travels -----------------------------------------------------------------------------------------------------------------


def content(size: int) -> bytes:
    return Random(size).randbytes(size)


def filled(dtype: numpy.dtype[Any], shape: tuple[int, ...]) -> Any:
    """An array of arbitrary bits; of numbers where not every bit is a value."""
    count = int(numpy.prod(shape))
    if dtype.kind in "Ub":
        return numpy.arange(count).astype(dtype).reshape(shape)
    return (
        numpy.frombuffer(bytearray(content(count * dtype.itemsize)), "u1").view(dtype)[:count].reshape(shape)
        if count
        else numpy.empty(shape, dtype)
    )


def read_only(some: Any) -> Any:
    some = some.view()
    some.flags.writeable = False
    return some


FORMS: list[Callable[[Any], Any]] = [
    lambda some: some,
    numpy.asfortranarray,
    lambda some: some.T,
    read_only,
    lambda some: read_only(some.T),
    lambda some: some[(slice(None, None, 2),) * some.ndim],
    lambda some: some[(slice(None, None, -1),) * some.ndim],
    lambda some: some.swapaxes(0, -1) if some.ndim > 1 else some,
    lambda some: some[..., 1:],
    lambda some: numpy.broadcast_to(some, (2, *some.shape)),
]
#: One of each kind, in both orders of bytes; Hypothesis has all of them.
PLAIN_DTYPES = ["?", "b", ">i2", "<i4", "e", "<f4", ">f8", "g", "F", ">c16", "M8[ns]", ">m8[s]", "S5", "<U3", ">U3", "V7"]
DTYPES = [*PLAIN_DTYPES, [("when", ">M8[us]"), ("where", "f4", (2,))]]
sizes = st.sampled_from(SIZES)
words = st.text("aß€\0𝄞", max_size=5)  # of few letters: Hypothesis takes seconds to learn them all
dtypes = arrays.scalar_dtypes() | arrays.nested_dtypes() | arrays.byte_string_dtypes() | arrays.unicode_string_dtypes()
shapes = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
in_any_form = st.builds(
    lambda form, some: form(some) if some.ndim else some,
    st.sampled_from(FORMS),
    st.builds(filled, dtypes, shapes) | st.builds(lambda size: filled(numpy.dtype("u1"), (size,)), sizes),
)
blocks = in_any_form | st.one_of(
    in_any_form.filter(lambda some: some.ndim == 2).map(lambda some: some.view(numpy.matrix)),
    sizes.map(content),
    sizes.map(lambda size: bytearray(content(size))),
    sizes.map(lambda size: memoryview(content(size))),
    sizes.map(lambda size: memoryview(bytearray(content(size)))[::2]),
    st.builds(lambda size: memoryview(filled(numpy.dtype("f8"), (size, 3))), st.integers(1, 5000)),
    st.builds(lambda code, size: array.array(code, range(size % 100)), st.sampled_from("bBhiqd"), sizes),
    sizes.map(lambda size: "ä" * size),
)
values = st.recursive(
    blocks | st.none() | st.integers() | words,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(words, inner, max_size=3)
        | st.builds(Held, inner, inner)
        | inner.map(lambda one: [one, one])
    ),
    max_leaves=8,
)


# what must be the same -----------------------------------------------------------------------------------------------------------


def assert_alike(came: Any, sent: Any) -> None:
    """Bits, types, order of bytes and of axes, and that it may be written to."""
    assert type(came) is type(sent)
    if isinstance(sent, numpy.ndarray):
        assert (came.dtype, came.dtype.byteorder, came.shape) == (sent.dtype, sent.dtype.byteorder, sent.shape)
        assert came.tobytes() == sent.tobytes()
        assert came.flags.writeable
        assert came.flags.c_contiguous >= sent.flags.c_contiguous
        assert came.flags.f_contiguous >= sent.flags.f_contiguous
    elif isinstance(sent, memoryview):
        assert (came.format, came.shape, came.readonly, came.tobytes()) == (sent.format, sent.shape, False, sent.tobytes())
    elif isinstance(sent, array.array):
        assert (came.typecode, came) == (sent.typecode, sent)
    else:
        assert_parts_alike(came, sent)


def assert_parts_alike(came: Any, sent: Any) -> None:
    """The same of what holds other values, and equality of what does not."""
    if isinstance(sent, list | tuple):
        assert len(came) == len(sent)
        for one, other in zip(came, sent, strict=True):
            assert_alike(one, other)
        if len(sent) == 2 and sent[0] is sent[1] and isinstance(sent[0], numpy.ndarray | bytearray | list):
            assert came[0] is came[1]
    elif isinstance(sent, dict):
        assert list(came) == list(sent)
        assert_alike(list(came.values()), list(sent.values()))
    elif isinstance(sent, Held):
        for field in fields(sent):
            assert_alike(getattr(came, field.name), getattr(sent, field.name))
    else:
        assert came == sent


# how it travels ------------------------------------------------------------------------------------------------------------------


class Peer:
    """Who opens what comes, and sends it back, until a Clear comes."""

    def __init__(self, transport: Transport) -> None:
        self.over = False
        self._transport = transport

    def turn(self) -> None:
        """Do what there is to do."""
        for arrival in self._transport.poll():
            if isinstance(arrival.message, Clear):
                self.over = True
            else:
                self._transport.post(arrival.sender, [Parcel(Push(0, ()), dump(load(arrival.frames)))])

    def serve(self) -> None:
        """Do so to the end, in a process of its own."""
        while not self.over or not self._transport.idle:
            self.turn()
            os.sched_yield()


def check_travel(transport: Transport, peer: int, wait: Wait, examples: int) -> None:
    """Send values to a peer and back. `wait` lets the peer do something."""

    def back(value: Any) -> Any:
        transport.post(peer, [Parcel(Push(0, ()), dump(value))])
        deadline = time.monotonic() + LIMIT
        while not (arrived := transport.poll()):
            wait()
            assert time.monotonic() < deadline, "nothing came back"
        assert len(arrived) == 1
        return load(arrived[0].frames)

    for size in SIZES:
        for kind in (bytes, bytearray, lambda block: numpy.frombuffer(block, "u1"), lambda block: memoryview(bytearray(block))):
            sent = [kind(content(size)), kind(content(size))]
            assert_alike(back(sent), sent)

    for dtype in DTYPES:
        sent = [form(filled(numpy.dtype(dtype), (9, 8, 11))) for form in FORMS]
        assert_alike(back(sent), sent)

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(value=values)
    def any_value(value: Any) -> None:
        assert_alike(back(value), value)

    any_value()
