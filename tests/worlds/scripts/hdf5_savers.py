"""Checks of several savers of one HDF5 file at a time, in the working directory. For any world."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy
from checks import raises, run_checks

from mpikernel import Client
from mpikernel.errors import ArrayFileError

client = Client()
engines = client[:]
views = [client[0], client[-1], engines]
count = len(client)


def values(path: str) -> dict[str, set[float]]:
    with h5py.File(path) as file:
        return {name: set(file[name][:]) for name in file}


def at_a_time(*calls: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(len(calls)) as threads:
        for future in [threads.submit(call) for call in calls]:
            future.result(60)


def assert_tidy(path: str) -> None:
    assert list(Path.cwd().glob(f"{path}*")) == [Path(path).absolute()]


def save(number: int, path: str, dataset: str) -> Callable[[], None]:
    view, name = views[number], f"x{number}"
    view.push({name: numpy.full(100_000, float(number))}, block=True)
    return lambda: view.save(name, path, dataset, overwrite=True)


def check_datasets_of_several_threads() -> None:
    at_a_time(*(save(number, "several.h5", f"x{number}") for number in (0, 1, 2)))
    assert values("several.h5") == {"x0": {0.0}, "x1": {1.0}, "x2": {2.0}}
    assert_tidy("several.h5")


def check_one_dataset_of_several_threads() -> None:
    at_a_time(*(save(number, "one.h5", "x") for number in (0, 1, 2)))
    assert values("one.h5")["x"] in ({0.0}, {1.0}, {2.0})
    assert_tidy("one.h5")


def check_results_beside_a_save() -> None:
    result = client.load_balanced_view().map_async(abs, range(100))
    try:
        at_a_time(lambda: result.to_hdf5("beside.h5"), save(0, "beside.h5", "x0"))
    except ArrayFileError as error:  # results keep the file open while they come
        if "locked" not in str(error):
            raise
    kept = values("beside.h5")
    assert kept in ({"results": set(range(100)), "x0": {0.0}}, {"results": set(range(100))}), kept
    assert_tidy("beside.h5")


ADDING = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+', locking=eval(sys.argv[2])); file['theirs'] = [1.0]; file.close()"


def adding(path: str, locking: bool) -> None:
    """On an engine, in the middle of a save: what another program does."""
    ended = subprocess.run([sys.executable, "-c", ADDING, path, str(locking)], capture_output=True, text=True, check=False)
    assert ("unable to lock file" in ended.stderr) == locking, ended.stderr


class Slow:
    """An array while whose part is written, another program comes."""

    def __init__(self, path: str, locking: bool) -> None:
        self.path = path
        self.locking = locking
        self.asked = 0

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.asked += 1
        if self.asked == 2:  # first it was measured
            adding(self.path, self.locking)
        return numpy.ones(3)


def check_what_another_program_adds_meanwhile_is_not_lost() -> None:
    one, path = client[0], os.path.abspath("theirs.h5")
    with h5py.File(path, "w") as file:
        file["old"] = [0.0]
    one.push({"slow": Slow(path, True), "hasty": Slow(path, False)}, block=True)
    one.save("slow", path)
    assert values(path) == {"old": {0.0}, "slow": {1.0}}
    with raises(ArrayFileError, "theirs.h5 has been changed by another program meanwhile"):
        one.save("hasty", path)
    assert values(path) == {"old": {0.0}, "slow": {1.0}, "theirs": {1.0}}
    assert_tidy("theirs.h5")


run_checks(globals())
