"""What the client does about arrays in files: it says who reads or writes which part. No part of an array comes here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from mpikernel.arrays import hdf5
from mpikernel.arrays.array_file import ArrayFile
from mpikernel.arrays.partition import check_dist
from mpikernel.client.result import AsyncResult
from mpikernel.client.view import View
from mpikernel.errors import UsageError
from mpikernel.wire.failure import sendable
from mpikernel.wire.functions import Reference
from mpikernel.wire.payload import dump

#: An engine's namespace, for functions that bind names in it. Not globals(), for which the user may have bound something else.
SPACE = Reference("(lambda: None).__globals__")


def scatter_file(view: View, name: str, source: ArrayFile, dist: str, flatten: bool, block: bool | None) -> Any:
    """Have each engine read its own part of a dataset, and bind `name` to it."""
    check_dist(dist)
    count = len(view)
    cuts = [(SPACE, name, source, (index, count, dist), flatten) for index in range(count)]
    return view._blocked(_call(view, "scatter", f"{name} from {source.place}", hdf5.bind_part, view._ids, cuts, view._bare), block)


def save(view: View, variable: str, path: str | os.PathLike[str], name: str | None, overwrite: bool, options: Mapping[str, Any]) -> None:
    """Have the engines write their parts into one dataset, one after the other: HDF5 has one writer at a time."""
    target, name = hdf5.checked_target(path, variable if name is None else name, options)
    label, (first, *_) = f"{variable} to {target}", view._ids
    measured = _call(view, "save", label, hdf5.measure, view._ids, [(SPACE, variable)] * len(view), view._bare).get()
    parts = [measured] if view._bare else measured
    shape, dtype = fitted(parts, view._ids, variable)
    ends = list(accumulate(rows for (rows, *_), _ in parts))
    with hdf5.saving(target) as partial:
        begun = (target, partial, name, overwrite, shape, dtype, dict(options))
        seen = _call(view, "save", label, hdf5.begin, [first], [begun], True).get()
        for engine, end, ((rows, *_), _) in zip(view._ids, ends, parts, strict=True):
            written = (SPACE, variable, partial, name, end - rows)
            _call(view, "save", label, hdf5.write_part, [engine], [written], True).get()
        _call(view, "save", label, hdf5.finish, [first], [(target, partial, seen)], True).get()


def fitted(parts: Sequence[tuple[tuple[int, ...], Any]], engines: Sequence[int], variable: str) -> tuple[tuple[int, ...], Any]:
    """(shape, dtype) of the whole, of which these are the shapes and dtypes of the parts. Parts without rows fit to any.

    Raises:
        UsageError: they do not fit together; tells which engine has what.
    """
    filled = [part for part in parts if part[0][0]] or parts[:1]
    kinds = {(shape[1:], dtype) for shape, dtype in filled}
    if len(kinds) > 1:
        shapes = ", ".join(f"engine {engine}: {shape} {dtype}" for engine, (shape, dtype) in zip(engines, parts, strict=True))
        raise UsageError(f"the parts of {variable} do not fit together along axis 0: {shapes}")
    ((row, dtype),) = kinds
    return (sum(shape[0] for shape, _ in parts), *row), dtype


def _call(
    view: View,
    kind: str,
    label: str,
    function: Callable[..., Any],
    engines: Sequence[int],
    arguments: Sequence[tuple[Any, ...]],
    single: bool = False,
) -> AsyncResult:
    """Call one of our functions on engines, each with arguments of its own."""
    port, title = view._port, sendable(label)
    pickled = port.functions.get(function, function.__name__)
    frames = [dump((each, {}), f"the arguments of {kind} {title}") for each in arguments]
    result = AsyncResult(port, f"{kind} {title}", single)
    port.command(result, kind, title, engines, lambda call, index: port.apply_message(call, pickled, frames[index], view.stream))
    return result.launched()
