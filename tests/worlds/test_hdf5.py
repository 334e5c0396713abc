"""Arrays in HDF5 files, in real worlds: engines read and write them, results become one, and a kill leaves what was there."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import h5py
import pytest

from tests.harness.waiting import wait_until
from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 6])
def test_files(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "hdf5_files.py"))


@pytest.mark.parametrize("n", [6])
def test_a_kill_leaves_the_results_that_came(world: World, n: int) -> None:
    path = world.cwd / "results.h5"
    with world.start(n, SCRIPTS / "hdf5_until_killed.py") as running:
        assert wait_until(lambda: rows_of(path, locking=False) == 300, 30)
        running.rank(1).send_signal(signal.SIGKILL)
        running.wait(limit=10)
    assert rows_of(path) == 300
    with h5py.File(path) as file:
        assert file["results"][:].tolist() == [number / 2 for number in range(300)]
        assert not file["results"].attrs["complete"]


@pytest.mark.parametrize("n", [1, 6])
def test_several_savers_of_one_file(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "hdf5_savers.py"))


@pytest.mark.parametrize("n", [6])
def test_a_kill_during_a_save_leaves_what_was_there_and_the_next_save_tidies(world: World, n: int) -> None:
    path = world.cwd / "out.h5"
    with h5py.File(path, "w") as file:
        file["old"] = [1, 2, 3]
    before = path.read_bytes()
    with world.start(n, SCRIPTS / "hdf5_save_until_killed.py") as running:
        assert wait_until(lambda: any(world.cwd.glob("out.h5.*.partial")), 30)
        running.rank(1).send_signal(signal.SIGKILL)
        running.wait(limit=10)
    assert path.read_bytes() == before
    assert any(world.cwd.glob("out.h5.*.partial"))
    world(n, SCRIPTS / "hdf5_save_until_killed.py", "quick")
    assert [each.name for each in world.cwd.glob("out.h5*")] == ["out.h5"]
    with h5py.File(path) as file:
        assert set(file) == {"old", "x"}


def rows_of(path: Path, locking: bool = True) -> int:
    """How many rows there are by now."""
    try:
        with h5py.File(path, locking=locking) as file:
            return len(file["results"])
    except (OSError, KeyError):
        if locking:
            raise
        return 0  # nothing yet, or just being written


def test_the_scripts_memory_stays_as_it_is(world: World) -> None:
    finished = world(6, SCRIPTS / "hdf5_memory.py", env={"MPIKERNEL_TRANSFER_WINDOW": str(1 << 24)})
    grown = dict(re.findall(r"^(files|results) (\d+)$", finished.stdout, re.MULTILINE))
    assert int(grown["files"]) < 8  # MiB; through it 192 would have gone twice
    assert int(grown["results"]) < 96
