"""Large parts of an array that lie on engines, and the whole array that they are to become, made before they come.

An engine describes its part (`describe`), the client plans from the descriptions (`plan_whole`), makes room for the whole once, and
says where in it each part lands. Knows nothing of messages: whoever moves the parts asks here where they go.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mpikernel.arrays.partition import BLOCKS, bounds_of, check_dealt, misfit

Allocate = Callable[[int], memoryview]


class Part(NamedTuple):
    """What a client must know of a part before it comes. `order` is "F" for what is contiguous in Fortran's order only."""

    dtype: Any
    shape: tuple[int, ...]
    order: str

    @property
    def nbytes(self) -> int:
        size: int = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


def describe(value: Any, least: int = 0) -> Part | None:
    """The description of a plain array of at least `least` bytes; None of everything else: objects, masks, subclasses, 0 dimensions."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray or value.ndim == 0 or value.dtype.hasobject or value.nbytes < least:
        return None
    flags = value.flags
    return Part(value.dtype, value.shape, "F" if flags.f_contiguous and not flags.c_contiguous else "C")


def outgoing(value: Any, order: str) -> Any:
    """A described array as it is to be sent: itself where it lies in this order ("C", "F", "K": as it lies), or a copy that does."""
    import numpy  # here, as below: only who gathers arrays needs it, and has it

    return numpy.asarray(value, order=order)  # type: ignore[call-overload]  # numpy's stubs want the letters themselves


class Whole:
    """The array that parts become. `slots` are their places in it, views; parts can land there if they are contiguous, in blocks."""

    def __init__(self, array: Any, memory: memoryview, slots: Sequence[Any], order: str) -> None:
        self.array = array
        self.slots = slots
        self.order = order
        self.open_to_landing = all(slot.flags.c_contiguous for slot in slots)
        self._memory = memory
        self._bounds = bounds_of([slot.nbytes for slot in slots])

    def landing(self, index: int) -> memoryview:
        """The memory of a slot, where slots are contiguous: as bytes."""
        return self._memory[slice(*self._bounds[index])]

    def place(self, index: int, value: Any) -> bool:
        """Have a part in its slot: it has landed there, or is copied. False if it is not what was described."""
        slot = self.slots[index]
        if describe(value) is None or value.dtype != slot.dtype or value.shape != slot.shape:
            return False
        if _address(value) != _address(slot):
            slot[...] = value
        return True


def _address(array: Any) -> tuple[int, tuple[int, ...]]:
    address: int = array.__array_interface__["data"][0]
    return address, array.strides


def plan_whole(parts: Sequence[Part | None], labels: Sequence[str], dist: str, allocate: Allocate) -> Whole | None:
    """Make room for the whole of some parts.

    Args:
        parts: descriptions in order; None for what is no plain array.
        labels: what each part is called in errors.
        dist: how they were dealt, 'b' or 'r'.
        allocate: gives memory of so many bytes.

    Returns:
        None where the parts may fit, but not just as they lie: they must then be joined.

    Raises:
        UsageError: the parts do not fit together; says which is what.
        whatever `allocate` raises.
    """
    described = [part for part in parts if part is not None]
    if len(described) < len(parts):
        return None
    _check_fit(described, labels, dist)
    first = described[0]
    if any(part.dtype != first.dtype for part in described):
        return None
    return _make_room(described, dist, allocate)


def _check_fit(parts: Sequence[Part], labels: Sequence[str], dist: str) -> None:
    import numpy  # here: see above

    if len({part.shape[1:] for part in parts}) > 1:
        raise misfit("they differ in more than the length of their first axis", parts, labels)
    try:
        numpy.result_type(*(part.dtype for part in parts))
    except TypeError as error:
        raise misfit(error, parts, labels) from error
    check_dealt(parts, labels, dist)


def _make_room(parts: Sequence[Part], dist: str, allocate: Allocate) -> Whole:
    import numpy  # here: see above

    lengths = [part.shape[0] for part in parts]
    shape = (sum(lengths), *parts[0].shape[1:])
    order: Any = "F" if all(part.order == "F" for part in parts) else "C"
    memory = allocate(sum(part.nbytes for part in parts))
    array = numpy.frombuffer(memory, parts[0].dtype).reshape(shape, order=order)
    if dist != BLOCKS:
        return Whole(array, memory, [array[start :: len(parts)] for start in range(len(parts))], order)
    return Whole(array, memory, [array[start:stop] for start, stop in bounds_of(lengths)], order)
