"""How things that are made of one block of memory are pickled, so that the block leaves the pickle and none of it is copied.

Arrays, memoryviews and array.arrays. Plain pickle copies what has dates in it, what lies in another order than C or Fortran,
and what is of a class of numpy's own beside its arrays; and numpy's pickles of small arrays are slow to make and to read.
What numpy knows is used only where the user has imported numpy. Whatever arrives is writable.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable, Sequence
from pickle import PickleBuffer
from typing import Any

Reducer = Callable[[Any], tuple[Any, ...] | str]

#: Type codes of items whose arrays hand out their memory as it is.
PLAIN = frozenset("?bBhHiIlLqQefdgFDGSU")
#: Kinds of items that are so many bytes and nothing more: their arrays may be seen as bytes.
BYTES_ONLY = frozenset("biufcmMSUV")
#: Below this many bytes a copy is cheaper than any other way.
SMALL = 512
#: At least as long as whatever a memoryview may be cast to, and a multiple of that (bytes).
LARGEST_ITEM = 16
#: Forms of types that are remembered.
FORMS = 1000

_table: dict[type, Reducer] = {}
_seen = [0]  # modules that there were when it was last looked what has been imported
_forms: dict[Any, Any] = {}


def reducers() -> dict[type, Reducer]:
    """How types are reduced: those of this module, as far as they can occur in this process, and those that are registered for all."""
    if len(sys.modules) != _seen[0]:
        _learn()
    _table.update(copyreg.dispatch_table)
    return _table


def _learn() -> None:
    """Enter the types of what has been imported. Those of a module that is just being imported may be entered after the next import."""
    _seen[0] = len(sys.modules)
    for module, types in _OF_MODULES.items():
        there = getattr(sys.modules.get(module), "__dict__", {})
        _table.update((there[name], reducer) for name, reducer in types.items() if name in there)


# numpy's arrays ---------------------------------------------------------------------------------------------------------


def reduce_array(array: Any) -> tuple[Any, ...] | str:
    """An array as its block of memory, and what numpy.ndarray makes an array of it with."""
    flags, dtype = array.flags, array.dtype
    if flags.c_contiguous and flags.writeable and dtype.char in PLAIN and dtype.itemsize:
        return type(array), (array.shape, _form(dtype), PickleBuffer(array))
    if dtype.hasobject or not dtype.itemsize or dtype.kind not in BYTES_ONLY:
        return array.__reduce_ex__(5)  # type: ignore[no-any-return]  # numpy's own way
    if not array.size:
        return type(array), (array.shape, _form(dtype))
    block, strides = _as_it_lies(array)
    return type(array), (array.shape, _form(dtype), PickleBuffer(_lent(block.reshape(-1).view("u1"))), 0, strides)


def _form(dtype: Any) -> Any:
    """A type in its shortest form: a text, if that says everything. Such texts are much quicker to pickle."""
    if dtype.metadata is not None:
        return dtype
    form = _forms.get(dtype)
    if form is None:
        if len(_forms) >= FORMS:
            _forms.clear()
        form = _forms[dtype] = dtype.str if dtype.char in PLAIN or dtype.char in "mM" else dtype
    return form


def _as_it_lies(array: Any) -> tuple[Any, tuple[int, ...]]:
    """The memory of an array without gaps (a copy if it has some), axes in the order in which they lie; and its strides for the array's."""
    axes = _order_of_axes(array)
    block = array.transpose(axes)
    if not block.flags.c_contiguous:
        block = block.copy()
    step = dict(zip(axes, block.strides, strict=True))
    return block, tuple(step[axis] for axis in range(array.ndim))


def _order_of_axes(array: Any) -> Sequence[int]:
    axes = range(array.ndim)
    if array.flags.c_contiguous or 0 in array.strides:
        return axes
    if array.flags.f_contiguous:
        return axes[::-1]
    return sorted(axes, key=lambda axis: -abs(array.strides[axis]))


class _Lent:
    """Read-only memory offered as if it could be written to. Nobody here does; but how a pickle is read depends on what is offered."""

    def __init__(self, block: Any) -> None:
        self._block = block  # keeps the memory
        interface = block.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def _lent(block: Any) -> Any:
    return block if block.flags.writeable else sys.modules["numpy"].asarray(_Lent(block))


def reduce_subclass(array: Any) -> tuple[Any, ...]:
    """A matrix, a record array or a memmap: an array seen as one. What comes of a memmap has no file."""
    ndarray = sys.modules["numpy"].ndarray
    return ndarray.view, (ndarray.view(array, ndarray), type(array))


def reduce_masked(array: Any) -> tuple[Any, ...]:
    """A masked array as its data and its mask; the mask is a full one, as numpy's own pickles have it."""
    mask = sys.modules["numpy.ma"].getmaskarray(array)
    return type(array), (array.data, mask, None, False, True, 0, array.fill_value, True, array.hardmask)


# other blocks of memory ---------------------------------------------------------------------------------------------------


def reduce_view(view: memoryview) -> tuple[Any, ...]:
    """A memoryview as its bytes, format and shape.

    Raises:
        TypeError: only numpy can describe its items, and it is not loaded.
    """
    castable = _can_be_cast(view)
    if "numpy" in sys.modules and not (castable and view.c_contiguous):
        return memoryview, (sys.modules["numpy"].asarray(view),)
    if not castable:
        raise TypeError(f"a memoryview of format {view.format!r} and shape {view.shape} can be pickled only where numpy is imported")
    flat = view.cast("B") if view.c_contiguous and view.nbytes else memoryview(bytearray(view.tobytes()))
    return make_view, (PickleBuffer(_writable(flat)), view.format, view.shape)


def _can_be_cast(view: memoryview) -> bool:
    """Whether Python can make such a view of bytes."""
    try:
        memoryview(bytes(view.itemsize)).cast(view.format)  # type: ignore[call-overload]  # any text; what it refuses is the question
    except ValueError:
        return False
    return view.ndim == 1 or 0 not in (view.shape or ())


def _writable(flat: memoryview) -> Any:
    if not flat.readonly:
        return flat
    if flat.nbytes < SMALL or "numpy" not in sys.modules:
        return bytearray(flat)
    return _lent(sys.modules["numpy"].frombuffer(flat, "u1"))


def make_view(block: Any, form: Any, shape: tuple[int, ...]) -> memoryview:
    """What `reduce_view` took apart, over the block itself."""
    if shape == (0,):
        return memoryview(bytearray(LARGEST_ITEM)).cast(form)[:0]
    return memoryview(block).cast("B").cast(form, shape)


def reduce_packed(packed: Any) -> tuple[Any, ...]:
    """An array.array as its bytes."""
    return make_packed, (packed.typecode, PickleBuffer(packed))


def make_packed(code: str, block: Any) -> Any:
    """What `reduce_packed` took apart. One copy: an array.array owns its memory."""
    from array import array  # here: hardly any rank needs it

    packed = array(code)
    packed.frombytes(block)
    return packed


_table[memoryview] = reduce_view
#: Modules whose types are known as soon as somebody has imported them.
_OF_MODULES: dict[str, dict[str, Reducer]] = {
    "numpy": {"ndarray": reduce_array, "matrix": reduce_subclass, "recarray": reduce_subclass, "memmap": reduce_subclass},
    "numpy.ma": {"MaskedArray": reduce_masked},
    "array": {"array": reduce_packed},
}
