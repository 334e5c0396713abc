"""The whole array that large parts become: made before they come, in one piece, and only if they fit together."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.arrays.gathering import Part, Whole, describe, outgoing, plan_whole
from mpikernel.arrays.partition import BLOCKS, ROUND_ROBIN, join, partition
from mpikernel.errors import SerializeError, UsageError

LABELS = [f"engine {number}" for number in range(9)]


def allocate(size: int) -> memoryview:
    return memoryview(bytearray(size))


def plan(arrays: list[Any], dist: str = BLOCKS) -> Whole | None:
    return plan_whole([describe(array) for array in arrays], LABELS[: len(arrays)], dist, allocate)


def landed(whole: Whole, index: int, array: Any) -> Any:
    """What a part is that has landed in its slot."""
    room = whole.landing(index)
    room[:] = outgoing(array, whole.order).tobytes()
    return numpy.frombuffer(room, array.dtype).reshape(array.shape)


def test_what_is_described_is_a_plain_array_that_is_large_enough() -> None:
    array = numpy.zeros((3, 4), "f4")
    assert describe(array, 48) == Part(numpy.dtype("f4"), (3, 4), "C")
    assert describe(numpy.asfortranarray(array)) == Part(numpy.dtype("f4"), (3, 4), "F")
    assert describe(array, 49) is None
    others: list[Any] = [
        [1],
        5,
        None,
        "text",
        numpy.array(5.0),
        numpy.float64(5),
        numpy.ma.zeros(9),
        numpy.array([None]),
        numpy.rec.array([1]),
    ]
    assert [describe(other) for other in others] == [None] * len(others)


@given(st.data())
def test_parts_that_land_or_are_copied_make_what_joining_makes(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["f8", ">i4", "S3", "M8[s]", "i2,f8", "?"]))
    inner = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2)))
    order = data.draw(st.sampled_from("CF"))
    dist = data.draw(st.sampled_from([BLOCKS, ROUND_ROBIN]))
    count = data.draw(st.integers(1, 5))
    rows = data.draw(st.integers(1, 12))
    full: Any = numpy.frombuffer(numpy.random.default_rng(rows).bytes(rows * int(numpy.prod(inner)) * numpy.dtype(dtype).itemsize), "u1")
    full = numpy.array(full.view(dtype).reshape(rows, *inner), order=order)
    parts = [numpy.array(part, order=order) for part in partition(full, count, dist)]
    whole = plan(parts, dist)
    assert whole is not None
    for index, part in enumerate(parts):
        if whole.open_to_landing and data.draw(st.booleans()):
            part = landed(whole, index, part)
            assert not part.size or numpy.shares_memory(part, whole.array)
        assert whole.place(index, part)
    joined = join(parts, dist)
    assert (whole.array.dtype, whole.array.shape) == (joined.dtype, joined.shape) == (full.dtype, full.shape)
    assert whole.array.tobytes() == joined.tobytes() == full.tobytes()
    assert whole.array.flags.writeable


def test_parts_in_fortrans_order_make_a_whole_in_fortrans_order() -> None:
    parts = [numpy.asfortranarray(numpy.ones((rows, 3))) for rows in (2, 4)]
    whole = plan(parts)
    assert whole is not None
    assert whole.array.flags.f_contiguous
    assert (whole.order, whole.open_to_landing) == ("F", False)
    mixed = plan([*parts, numpy.ones((5, 3))])
    assert mixed is not None
    assert (mixed.order, mixed.open_to_landing) == ("C", True)


def test_a_part_that_is_not_what_was_described_has_no_place() -> None:
    whole = plan([numpy.zeros((2, 3)), numpy.zeros((4, 3))])
    assert whole is not None
    others: list[Any] = [numpy.zeros((3, 2)), numpy.zeros((2, 3), "f4"), numpy.zeros(6), [[0.0] * 3] * 2, numpy.ma.zeros((2, 3))]
    assert [whole.place(0, other) for other in others] == [False] * len(others)


def test_what_may_fit_but_not_as_it_lies_is_to_be_joined() -> None:
    assert plan([numpy.zeros(3), numpy.zeros(3, "f4")]) is None
    assert plan_whole([describe(numpy.zeros(3)), None], LABELS[:2], BLOCKS, allocate) is None


@pytest.mark.parametrize(
    ("arrays", "dist", "told"),
    [
        ([numpy.zeros((2, 3)), numpy.zeros((2, 4))], BLOCKS, "parts are engine 0: (2, 3) float64, engine 1: (2, 4) float64"),
        ([numpy.zeros(2), numpy.zeros((2, 1))], BLOCKS, "engine 1: (2, 1) float64"),
        ([numpy.zeros(2), numpy.zeros(2, "i2,i2")], BLOCKS, "engine 0: (2,) float64"),
        ([numpy.zeros(1), numpy.zeros(3)], ROUND_ROBIN, "dealt round-robin they would have the lengths 2, 2; parts are engine 0: (1,)"),
    ],
)
def test_parts_that_do_not_fit_together_are_named(arrays: list[Any], dist: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(arrays, dist)
    assert str(caught.value).startswith("the parts do not fit together: ")
    assert told in str(caught.value)


def test_no_memory_is_the_allocators_to_tell() -> None:
    def refuse(size: int) -> memoryview:
        raise SerializeError(f"no memory for {size} bytes")

    with pytest.raises(SerializeError, match="no memory for 48 bytes"):
        plan_whole([describe(numpy.zeros(3))] * 2, LABELS[:2], BLOCKS, refuse)


def test_what_goes_out_is_the_arrays_own_memory_where_it_can_be() -> None:
    array = numpy.arange(12.0).reshape(3, 4)
    assert outgoing(array, "C") is array
    assert numpy.shares_memory(outgoing(array[::2], "K"), array)
    for other in (array.T, array[::2], array[:, 1:]):
        assert outgoing(other, "C").flags.c_contiguous
        assert numpy.array_equal(outgoing(other, "C"), other)
    assert numpy.shares_memory(outgoing(array.T, "F"), array)
