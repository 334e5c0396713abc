"""How a sequence is cut into parts and put together again: in blocks ('b') or round-robin ('r').

With n items for q parts, the first n % q parts get one item more. Arrays are cut along their first axis into views,
without copying; other sequences keep their type where it can be sliced, and become lists where it cannot.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, chain, pairwise
from typing import Any, Protocol

from mpikernel.errors import UsageError

BLOCKS, ROUND_ROBIN = "b", "r"


def check_dist(dist: str) -> None:
    """Refuse a distribution that is none."""
    if dist not in (BLOCKS, ROUND_ROBIN):
        raise UsageError(f"dist={dist!r} is not a distribution: it is 'b' (blocks) or 'r' (round-robin)")


def bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """(start, stop) of each block."""
    size, more = divmod(length, parts)
    return bounds_of([size + (index < more) for index in range(parts)])


def bounds_of(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """(start, stop) of blocks of these lengths, one after the other."""
    return list(pairwise(accumulate(lengths, initial=0)))


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


def join(parts: Sequence[Any], dist: str = BLOCKS, labels: Sequence[str] = ()) -> Any:
    """Put parts together again: arrays to an array, tuples, strings and bytes to what they are, everything else to a list.

    A part that is no sequence (it was flattened when scattered) stands for its one item.

    Args:
        parts: in order.
        dist: how they were dealt.
        labels: what each part is called where they do not fit together; its number if not given.

    Raises:
        UsageError: arrays that do not fit together; says which is what.
    """
    check_dist(dist)
    if parts and all(_is_array(part) and part.ndim > 0 for part in parts):
        return _join_arrays(parts, dist, labels or [str(index) for index in range(len(parts))])
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


class Shaped(Protocol):
    """An array, or what describes one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...


def misfit(reason: object, parts: Sequence[Shaped], labels: Sequence[str]) -> UsageError:
    """The error that says which part is what."""
    told = ", ".join(f"{label}: {part.shape} {part.dtype}" for label, part in zip(labels, parts, strict=True))
    return UsageError(f"the parts do not fit together: {reason}; parts are {told}")


def check_dealt(parts: Sequence[Shaped], labels: Sequence[str], dist: str) -> None:
    """Refuse parts that cannot have been dealt round-robin, by their lengths."""
    lengths = [part.shape[0] for part in parts]
    dealt = [len(range(start, sum(lengths), len(parts))) for start in range(len(parts))]
    if dist == ROUND_ROBIN and lengths != dealt:
        raise misfit(f"dealt round-robin they would have the lengths {', '.join(map(str, dealt))}", parts, labels)


def _join_arrays(parts: Sequence[Any], dist: str, labels: Sequence[str]) -> Any:
    import numpy  # here: only who gathers arrays needs it, and has it

    masked = any(isinstance(part, numpy.ma.MaskedArray) for part in parts)
    dtype = parts[0].dtype if len({part.dtype for part in parts}) == 1 else None
    # The plain one drops masks, and the order of bytes if no type is said.
    concatenate: Any = numpy.ma.concatenate if masked else partial(numpy.concatenate, dtype=dtype)
    try:
        whole = concatenate(parts)
    except (TypeError, ValueError) as error:
        raise misfit(error, parts, labels) from error
    check_dealt(parts, labels, dist)
    return whole if dist == BLOCKS else _dealt_back(parts, numpy.empty_like(whole))


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
