"""Cutting and joining: join(partition(x)) == x, in blocks and round-robin, and the first parts get the items that are over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.arrays.partition import BLOCKS, ROUND_ROBIN, bounds, join, partition
from mpikernel.errors import UsageError

dists = st.sampled_from([BLOCKS, ROUND_ROBIN])
counts = st.integers(1, 9)
arrays = st.builds(
    lambda length, shape, dtype: numpy.arange(length * int(numpy.prod(shape))).astype(dtype).reshape(length, *shape),
    st.integers(0, 20),
    st.lists(st.integers(0, 3), max_size=2),
    st.sampled_from(["f8", "i2", "S3", "U4", "M8[s]", "?", "c16", object]),
)


@given(st.lists(st.integers()) | st.lists(st.integers()).map(tuple) | st.text() | st.binary() | st.binary().map(bytearray), counts, dists)
def test_sequences_come_together_as_what_they_were(sequence: Any, parts: int, dist: str) -> None:
    joined = join(partition(sequence, parts, dist), dist)
    assert (type(joined), joined) == (type(sequence), sequence)


@given(st.builds(range, st.integers(-9, 9), st.integers(-9, 30), st.sampled_from([-2, 1, 3])), counts, dists)
def test_ranges_come_together_as_lists(sequence: range, parts: int, dist: str) -> None:
    assert all(isinstance(part, range) for part in partition(sequence, parts, dist))
    assert join(partition(sequence, parts, dist), dist) == list(sequence)


@given(arrays, counts, dists)
def test_arrays_come_together_as_what_they_were(array: Any, parts: int, dist: str) -> None:
    joined = join(partition(array, parts, dist), dist)
    assert (joined.dtype, joined.shape) == (array.dtype, array.shape)
    assert numpy.array_equal(joined, array)


@given(st.lists(st.integers()), counts, dists)
def test_other_iterables_are_cut_as_lists(items: list[int], parts: int, dist: str) -> None:
    for make in (iter, dict.fromkeys, lambda each: (item for item in each)):
        made: Any = make(items)
        assert join(partition(made, parts, dist), dist) == list(make(items))


@given(st.integers(0, 100), counts, dists)
def test_the_first_parts_get_one_item_more(length: int, parts: int, dist: str) -> None:
    size, more = divmod(length, parts)
    assert [len(part) for part in partition(list(range(length)), parts, dist)] == [size + (index < more) for index in range(parts)]


def test_blocks_and_round_robin() -> None:
    assert partition("abcdefgh", 3) == ["abc", "def", "gh"]
    assert partition("abcdefgh", 3, ROUND_ROBIN) == ["adg", "beh", "cf"]
    assert bounds(8, 3) == [(0, 3), (3, 6), (6, 8)]


def test_arrays_are_cut_without_copying() -> None:
    array = numpy.arange(12.0).reshape(6, 2)
    for dist in (BLOCKS, ROUND_ROBIN):
        assert all(numpy.shares_memory(part, array) for part in partition(array, 3, dist))


def test_a_masked_array_keeps_its_mask() -> None:
    array = numpy.ma.masked_equal(numpy.arange(10), 4)
    for dist in (BLOCKS, ROUND_ROBIN):
        joined = join(partition(array, 3, dist), dist)
        assert joined.mask.tolist() == array.mask.tolist()
        assert joined.compressed().tolist() == array.compressed().tolist()


def test_parts_of_different_types_become_what_holds_both() -> None:
    assert join([numpy.array([1]), numpy.array([2.5])]).tolist() == [1.0, 2.5]
    assert join([[1], (2, 3)]) == [1, 2, 3]
    assert join([numpy.array([1, 2]), [3]]) == [1, 2, 3]


def test_parts_that_were_flattened_stand_for_their_one_item() -> None:
    assert join([1, 2.5, None]) == [1, 2.5, None]
    assert join([[1, 2], 3], ROUND_ROBIN) == [1, 3, 2]
    assert join([numpy.float64(1.5), numpy.float64(2.5)]) == [1.5, 2.5]
    assert join([{"a": 1}, {"b": 2}]) == [{"a": 1}, {"b": 2}]


def test_no_parts_are_an_empty_list() -> None:
    assert join([]) == []


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value)


def test_what_cannot_be_cut() -> None:
    assert "an array of 0 dimensions cannot be scattered" in refusal(lambda: partition(numpy.array(3), 2))
    assert "a int cannot be cut into parts" in refusal(lambda: partition(3, 2))


@pytest.mark.parametrize("dist", ["x", "", "B", None])
def test_an_unknown_distribution(dist: Any) -> None:
    assert "is not a distribution: it is 'b' (blocks) or 'r' (round-robin)" in refusal(lambda: partition([1], 2, dist))
    assert "is not a distribution" in refusal(lambda: join([[1]], dist))


def test_parts_that_do_not_fit_together() -> None:
    assert "the parts do not fit together" in refusal(lambda: join([numpy.zeros(2), numpy.zeros(2, [("a", "f8")])]))
    text = refusal(lambda: join([numpy.zeros((2, 3)), numpy.zeros((2, 4))]))
    assert "the parts do not fit together" in text
    assert "0: (2, 3) float64, 1: (2, 4) float64" in text


def test_parts_that_were_not_dealt_round_robin() -> None:
    text = refusal(lambda: join([numpy.zeros(1), numpy.zeros(3)], ROUND_ROBIN))
    assert "the parts do not fit together" in text
    assert "0: (1,) float64, 1: (3,) float64" in text
