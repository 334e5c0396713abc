"""How a sequence is cut into parts and put together again: in blocks ('b') or round-robin ('r').

With n items for q parts, the first n % q parts get one item more. Arrays are cut along their first axis into views,
without copying; other sequences keep their type where it can be sliced, and become lists where it cannot.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

from mpikernel.errors import UsageError

BLOCKS, ROUND_ROBIN = "b", "r"


def check_dist(dist: str) -> None:
    """Refuse a distribution that is none."""
    if dist not in (BLOCKS, ROUND_ROBIN):
        raise UsageError(f"dist={dist!r} is not a distribution: it is 'b' (blocks) or 'r' (round-robin)")


def bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """(start, stop) of each block."""
    size, more = divmod(length, parts)
    starts = [index * size + min(index, more) for index in range(parts + 1)]
    return list(pairwise(starts))


def partition(sequence: Any, parts: int, dist: str = BLOCKS) -> list[Any]:
    """Cut a sequence into `parts` parts.

    Args:
        sequence: an array (cut along axis 0, not of 0 dimensions), a sequence, or any other finite iterable.
        parts: how many; at least 1.
        dist: 'b' for blocks, 'r' for every parts-th item.

    Raises:
        UsageError: `sequence` cannot be cut, or `dist` is unknown.
    """
    check_dist(dist)
    sequence = _sliceable(sequence)
    if dist == ROUND_ROBIN:
        return [sequence[start::parts] for start in range(parts)]
    return [sequence[start:stop] for start, stop in bounds(len(sequence), parts)]


def join(parts: Sequence[Any], dist: str = BLOCKS) -> Any:
    """Put parts together again: arrays to an array, tuples, strings and bytes to what they are, everything else to a list.

    A part that is no sequence (it was flattened when scattered) stands for its one item.
    """
    check_dist(dist)
    if parts and all(_is_array(part) and part.ndim > 0 for part in parts):
        return _join_arrays(parts, dist)
    rows = [part if _has_items(part) else [part] for part in parts]
    items = list(chain.from_iterable(rows)) if dist == BLOCKS else _interleaved(rows)
    for kind in (tuple, bytes, bytearray):
        if parts and all(isinstance(part, kind) for part in parts):
            return kind(items)
    if parts and all(isinstance(part, str) for part in parts):
        return "".join(items)
    return items


def _sliceable(sequence: Any) -> Any:
    if _is_array(sequence):
        if sequence.ndim == 0:
            raise UsageError("an array of 0 dimensions cannot be scattered: it has no first axis to cut; push it instead")
        return sequence
    if isinstance(sequence, list | tuple | str | bytes | bytearray | range | memoryview):
        return sequence
    if isinstance(sequence, set | frozenset):
        raise UsageError(f"a {type(sequence).__name__} has no order to cut it by: scatter a list or an array")
    try:
        return list(sequence)
    except TypeError as error:
        raise UsageError(f"a {type(sequence).__name__} cannot be cut into parts: {error}; scatter a list or an array") from None


def _join_arrays(parts: Sequence[Any], dist: str) -> Any:
    import numpy  # here: only who gathers arrays needs it, and has it

    masked = any(isinstance(part, numpy.ma.MaskedArray) for part in parts)
    concatenate = numpy.ma.concatenate if masked else numpy.concatenate  # which drops masks
    try:
        whole = concatenate(parts)
        return whole if dist == BLOCKS else _dealt_back(parts, numpy.empty_like(whole))
    except (TypeError, ValueError) as error:
        shapes = ", ".join(f"{index}: {part.shape} {part.dtype}" for index, part in enumerate(parts))
        raise UsageError(f"the parts do not fit together: {error}; parts are {shapes}") from error


def _dealt_back(parts: Sequence[Any], whole: Any) -> Any:
    """Put the items of parts that were dealt round-robin back into their places in `whole`."""
    for start, part in enumerate(parts):
        whole[start :: len(parts)] = part
    return whole


def _interleaved(rows: Sequence[Any]) -> list[Any]:
    longest = max(map(len, rows), default=0)
    return [row[index] for index in range(longest) for row in rows if index < len(row)]


def _has_items(part: Any) -> bool:
    return isinstance(part, list | tuple | str | bytes | bytearray | range) or (_is_array(part) and part.ndim > 0)


def _is_array(value: Any) -> bool:
    """Whether it is a numpy array; where numpy has not been imported nothing is."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)
