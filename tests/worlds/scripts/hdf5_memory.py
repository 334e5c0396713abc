"""Prints by how many MiB the script's process grows at its peak while 192 MiB go from a file to engines and come back as results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from mpikernel import ArrayFile, Client

MIB = 1 << 20


def peak() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


def one_mib(number: int) -> Any:
    import numpy

    return numpy.full(MIB // 8, float(number))


with h5py.File("data.h5", "w") as file:
    dataset = file.create_dataset("x", (192 * MIB // 8,), "f8")
    for start in range(0, len(dataset), MIB // 8):
        dataset[start : start + MIB // 8] = start
client = Client()
engines, balanced = client[:], client.load_balanced_view()
balanced.map_async(one_mib, range(8)).to_hdf5("warm.h5")
before = peak()
engines.scatter("x", ArrayFile("data.h5", "x"), block=True)
engines.save("x", "out.h5")
print("files", (peak() - before) // MIB, flush=True)
balanced.map_async(one_mib, range(192)).to_hdf5("results.h5")
print("results", (peak() - before) // MIB, flush=True)
