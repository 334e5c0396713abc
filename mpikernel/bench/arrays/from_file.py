"""An array in an HDF5 file, of which each engine reads its part, beside one process that reads it all with plain h5py.

The file is in the disk cache after the first time, and everybody reads into fresh memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mpikernel import ArrayFile
from mpikernel.arrays.hdf5 import opened
from mpikernel.bench import inside
from mpikernel.bench.arrays.contestants import OURS, readable
from mpikernel.bench.measuring import Effort, contest, on_bare_stage
from mpikernel.bench.raw_bytes import Bytes
from mpikernel.bench.sheet import GIGABYTES_PER_SECOND, Sheet
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView

PLAIN = "plain h5py"
TIMES_LARGEST = 8  # the file, by the largest array that is pushed


def measure(client: Client, effort: Effort) -> Sheet:
    """How fast a large file is read."""
    view, size = client[:], size_of_file(effort)
    with array_file(view, size) as source:
        contestants = (on_bare_stage(OURS, lambda: scatter(view, source)), on_bare_stage(PLAIN, lambda: _read(source)))
        series = contest(f"scatter {readable(size)}", contestants, effort, size)
    return Sheet("an array in a file, to all engines", GIGABYTES_PER_SECOND, (PLAIN,), series)


def size_of_file(effort: Effort) -> int:
    """In bytes."""
    return effort.largest * TIMES_LARGEST


@contextmanager
def array_file(view: DirectView, size: int) -> Iterator[ArrayFile]:
    """A file that the engines of a view have written, of `size` bytes or a few more. Nothing is left of it."""
    path = inside.folder() / "data.h5"
    source = ArrayFile(path, "data")
    view.execute(f"import numpy; data = numpy.ones({-(-size // len(view))}, numpy.uint8)", block=True)
    view.save(source.name, path)
    view.clear(block=True)
    try:
        yield source
    finally:
        view.clear(block=True)
        path.unlink()


def scatter(view: DirectView, source: ArrayFile) -> None:
    """What is measured."""
    view.scatter("data", source, block=True)


def _read(source: ArrayFile) -> Bytes:
    with opened(source.place) as file:
        whole = np.empty(file[source.name].shape, np.uint8)
        file[source.name].read_direct(whole)
    return whole
