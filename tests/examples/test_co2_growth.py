"""The main job in real worlds: its numbers, its files, and that both are the same for any number of engines."""

from __future__ import annotations

import importlib.util
import os
import re
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.examples.test_co2_model import RECORD, fit_by_hand
from tests.harness.world import World

SCRIPT = RECORD.parents[1] / "co2_growth.py"
SMALL = ("--resamples", "200")
LIMIT = 120.0  # seconds; it imports numpy, h5py and matplotlib and computes for a while, on a machine that may be busy


def read_everything(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an HDF5 file, by their names."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_the_numbers_are_the_same_for_any_number_of_engines(world: World, tmp_path: Path) -> None:
    files = {}
    for ranks in (1, 2, 5):
        world(ranks, SCRIPT, *SMALL, "--out", tmp_path / str(ranks), limit=LIMIT)
        files[ranks] = read_everything(tmp_path / str(ranks) / "co2_growth.h5")
    assert files[1].keys() == files[2].keys() == files[5].keys()
    for name, values in files[1].items():
        assert np.array_equal(values, files[2][name]), name
        assert np.array_equal(values, files[5][name]), name


def test_the_result_file_holds_the_analysis(world: World, tmp_path: Path) -> None:
    world(5, SCRIPT, *SMALL, "--seed", "7", limit=LIMIT)
    growth, acceleration = fit_by_hand(*np.loadtxt(RECORD, delimiter=",", skiprows=1, dtype="datetime64[D],f8", unpack=True))
    with h5py.File(tmp_path / "co2_growth.h5") as file:
        assert file.attrs["seed"] == 7
        assert file.attrs["resamples"] == 200
        assert "Keeling" in file.attrs["source"]
        assert 150 < file.attrs["block_weeks"] < 350
        assert file["data/co2"].shape == (2225,)
        assert file["data/co2"].attrs["units"] == "ppm"
        assert file["estimates/growth_now"][()] == pytest.approx(growth)
        assert file["estimates/acceleration"][()] == pytest.approx(acceleration)
        assert file["estimates/acceleration"].attrs["units"] == "ppm/yr^2"
        for name, estimate in file["estimates"].items():
            low, high = estimate.attrs["interval"]
            assert low < estimate[()] < high, name
            resampled = file["resamples"][name][()]
            assert resampled.shape == (200,)
            assert estimate.attrs["standard_error"] == pytest.approx(resampled.std(ddof=1))
        assert np.all(file["curves/fit/low"][()] < file["curves/fit/high"][()])
    compare_with_textbook_error(read_everything(tmp_path / "co2_growth.h5"))


def compare_with_textbook_error(file: dict[str, np.ndarray]) -> None:
    """Weekly residuals are no independent draws: the textbook error of the growth is several times too small."""
    years = file["data/time"] - file["data/time"][-1]
    columns = np.column_stack([np.ones_like(years), years, years**2])
    textbook = np.sqrt(np.linalg.inv(columns.T @ columns)[1, 1]) * file["data/residual"].std()
    assert 4 * textbook < file["resamples/growth_now"].std() < 12 * textbook


def test_the_table_the_time_and_the_picture(world: World, tmp_path: Path) -> None:
    stdout = world(5, SCRIPT, *SMALL, limit=LIMIT).stdout
    row = next(line for line in stdout.splitlines() if "growth at the end of 2001" in line)
    assert row.split()[6:] == ["1.85", *row.split()[7:10], "ppm/yr"]
    assert "200 resamples, each resampled 100 times" in stdout
    assert re.search(r"[\d.]+ s of work in [\d.]+ s: speed-up \d+\.\d on 2 engine", stdout)
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("no picture: matplotlib is not installed here")
    assert "wrote co2_growth.png" in stdout
    head = (tmp_path / "co2_growth.png").read_bytes()
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (1995, 1230)
    assert len(head) > 100_000


def test_without_matplotlib_all_but_the_picture_is_done(world: World, tmp_path: Path) -> None:
    absent = tmp_path / "absent" / "matplotlib"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'matplotlib'\", name='matplotlib')\n")
    path = os.pathsep.join([str(absent.parent), os.environ.get("PYTHONPATH", "")])
    run = world(1, SCRIPT, *SMALL, env={"PYTHONPATH": path}, limit=LIMIT)
    assert "no picture: matplotlib is not installed" in run.stdout
    assert (tmp_path / "co2_growth.h5").exists()
    assert not (tmp_path / "co2_growth.png").exists()


def test_too_few_resamples_are_refused(world: World, tmp_path: Path) -> None:
    run = world(4, SCRIPT, "--resamples", "20", expect=2)
    assert "95 % needs 100 resamples" in run.stderr
    assert not (tmp_path / "co2_growth.h5").exists()
