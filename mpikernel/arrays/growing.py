"""A dataset that grows row by row as results come, and that is good up to its last flush whenever the process is killed.

It is written in pieces, each the rows of one chunk, and memory is that of one piece. A flush in between writes a piece that is
not full. Where chunks are compressed, HDF5 moves such a chunk when it is written again, and gives its old place to the next, while the
file still points there. So a piece that was flushed early is flushed again as soon as it is full; and where a row is spread
over several chunks, which would take each other's places, only full pieces are flushed.

Knows nothing of calls and engines; h5py is behind hdf5.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from math import prod
from os import PathLike
from typing import Any

from mpikernel.arrays import hdf5
from mpikernel.arrays.disk import Disk
from mpikernel.errors import UsageError

#: Bytes in a piece unless the user says how chunks are to be: well inside of HDF5's cache of chunks.
PIECE = 1 << 18
#: Seconds of results that a kill may cost.
FLUSH_INTERVAL = 1.0
#: Kinds of numpy dtypes that are no numbers: objects, text, dates, differences of dates.
NO_NUMBERS = "OUMm"


def store_rows(batches: Iterable[Sequence[Any]], path: str | PathLike[str], name: str, overwrite: bool, options: Mapping[str, Any]) -> None:
    """Write items into a dataset as they come. What came before an error is in the file.

    Args:
        batches: the items, some at a time; an empty one now and then where there is nothing lets what came be flushed.
        path, name, overwrite, options: as `begin` in hdf5.py; what the file holds beside stays.

    Raises:
        UsageError: the dataset is there already, or cannot be made so; or an item does not fit, which is named by its index.
        ArrayFileError: the file cannot be written.
    """
    target, name = hdf5.checked_target(path, name, options)
    if hdf5.look_at(target, name, overwrite):
        hdf5.check_survives(target)
    dataset = GrowingDataset(target, name, overwrite, options)
    try:
        for batch in batches:
            dataset.extend(batch)
            dataset.flush_when_due()
        dataset.complete()
    finally:
        dataset.close()
    hdf5.settle(target)


class GrowingDataset:
    """The file is touched when the first item has come, which decides about shape and dtype."""

    def __init__(self, target: str, name: str, overwrite: bool, options: Mapping[str, Any]) -> None:
        self._target = target
        self._name = name
        self._overwrite = overwrite
        self._options = options
        self._opened = ExitStack()  # the file, from the first item on
        self._file: Any = None  # h5py's
        self._disk: Disk  # under it
        self._buffer: Any = None  # numpy array: the rows of one piece
        self._count = 0  # items so far, those in the buffer too
        self._written = 0  # of them, those that the dataset has
        self._flushed = 0  # of them, those that a kill cannot cost
        self._flushed_at = time.monotonic()
        self._moving = False  # whether rows are spread over chunks that move

    def extend(self, items: Iterable[Any]) -> None:
        """Append items."""
        for item in items:
            row = self._checked(item)
            self._buffer[self._count % len(self._buffer)] = row
            self._count += 1
            if self._count % len(self._buffer) == 0:
                self._write()
                if self._flushed > self._count - len(self._buffer):
                    self._flush()

    def flush_when_due(self) -> None:
        """Have what came be in the file, if the last time is long enough ago."""
        if self._file is not None and time.monotonic() - self._flushed_at >= FLUSH_INTERVAL:
            if not self._moving:
                self._write()
            self._flush()

    def complete(self) -> None:
        """Note that all items are there."""
        if self._file is None:
            self._create((), self._options.get("dtype", float))
        self._write()
        with hdf5.told(self._target):
            self._file[self._name].attrs.modify("complete", True)

    def close(self) -> None:
        """Write what came, and close the file."""
        with self._opened:
            if self._file is not None:
                self._write()

    def _checked(self, item: Any) -> Any:
        """An item as an array that fits."""
        import numpy  # here: as in hdf5.py

        try:
            row = numpy.asarray(item)
        except ValueError as error:
            raise UsageError(f"item {self._count} is no array of numbers: {error}") from None
        if row.dtype.kind in NO_NUMBERS:
            raise UsageError(f"item {self._count} is a {type(item).__name__} ({row.dtype}): items must be numbers, or arrays of numbers")
        if self._file is None:
            self._create(row.shape, self._options.get("dtype", row.dtype))
        wanted = self._buffer
        fits = numpy.can_cast(row.dtype, wanted.dtype, "same_kind") if "dtype" in self._options else row.dtype == wanted.dtype
        if row.shape != wanted.shape[1:] or not fits:
            expected = f"{wanted.shape[1:]} {wanted.dtype}"
            raise UsageError(
                f"item {self._count} does not fit: its shape and dtype are {row.shape} {row.dtype}, those before are {expected}"
            )
        return row

    def _create(self, shape: tuple[int, ...], dtype: Any) -> None:
        import numpy  # here: as in hdf5.py

        rows = max(1, PIECE // max(1, prod(shape) * numpy.dtype(dtype).itemsize))
        chunks = (rows, *(max(1, length) for length in shape))
        options = {"maxshape": (None, *shape), "chunks": chunks, **self._options}
        with hdf5.saving(self._target) as partial:
            seen = hdf5.begin(self._target, partial, self._name, self._overwrite, (0, *shape), dtype, options)
            hdf5.put_in_place(self._target, partial, seen)  # not waiting for the disk, which may take seconds
            self._file, self._disk = self._opened.enter_context(hdf5.writable(self._target))
        dataset = self._file[self._name]
        dataset.attrs["complete"] = False
        self._moving = hdf5.is_filtered(dataset) and prod(dataset.chunks[1:]) < prod(shape)
        self._buffer = numpy.empty((dataset.chunks[0], *shape), dtype)

    def _write(self) -> None:
        """Let the dataset grow by the rows in the buffer that it has not; again, if that was interrupted."""
        with hdf5.told(self._target):
            dataset, written = self._file[self._name], self._written
            if written < self._count:
                dataset.resize(self._count, axis=0)
                first = written % len(self._buffer)
                dataset[written:] = self._buffer[first : first + self._count - written]
                self._written = self._count
            self._disk.check()

    def _flush(self) -> None:
        with hdf5.told(self._target):
            self._file.flush()
            self._disk.check()
            self._flushed, self._flushed_at = self._written, time.monotonic()
