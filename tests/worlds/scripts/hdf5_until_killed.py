"""Writes 300 results to results.h5, and waits for those that never come. Each item is a task, so that none waits with them."""

from __future__ import annotations

from mpikernel import Client


def half(number: int) -> float:
    import time

    if number >= 300:
        time.sleep(3600)
    return number / 2


Client().load_balanced_view().map_async(half, range(1000), chunksize=1).to_hdf5("results.h5")
