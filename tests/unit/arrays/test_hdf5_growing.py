"""Datasets that grow: what is in the file at any moment is a correct beginning."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from mpikernel.arrays import growing
from mpikernel.arrays.growing import store_rows
from mpikernel.errors import ArrayFileError, UsageError
from tests.unit.arrays.test_hdf5 import full_after

OPTIONS: list[dict[str, Any]] = [{}, {"compression": "gzip"}, {"chunks": (7, 2), "compression": "lzf"}, {"chunks": True}]


def rows(first: int, last: int) -> list[Any]:
    return [numpy.array([number, number**2, -number], float) for number in range(first, last)]


def batches(count: int, size: int = 3) -> Iterator[list[Any]]:
    for first in range(0, count, size):
        yield rows(first, min(count, first + size))


def is_beginning(path: Path, name: str = "results") -> tuple[int, bool]:
    """How many rows there are, and whether they are said to be all; asserts that they are right."""
    with h5py.File(path) as file:
        found = file[name][:]
        assert (found == numpy.array(rows(0, len(found))).reshape(-1, 3)).all()
        return len(found), bool(file[name].attrs["complete"])


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("interval", [0.0, 1000.0])
def test_items_become_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], interval: float) -> None:
    monkeypatch.setattr(growing, "FLUSH_INTERVAL", interval)
    store_rows(batches(100), tmp_path / "a.h5", "results", False, options)
    assert is_beginning(tmp_path / "a.h5") == (100, True)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["results"].maxshape == (None, 3)
    assert os.listdir(tmp_path) == ["a.h5"]


@pytest.mark.parametrize(
    ("items", "dtype", "shape"), [([1, 2], "i8", ()), ([True], "?", ()), ([1j], "c16", ()), ([[1.5], [2.5]], "f8", (1,))]
)
def test_the_first_item_decides(tmp_path: Path, items: list[Any], dtype: str, shape: tuple[int, ...]) -> None:
    store_rows([items], tmp_path / "a.h5", "r", False, {})
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file["r"].dtype, file["r"].shape[1:]) == (numpy.dtype(dtype), shape)
        assert file["r"][:].tolist() == items


def test_no_items_are_an_empty_dataset(tmp_path: Path) -> None:
    store_rows([], tmp_path / "a.h5", "r", False, {"dtype": "f4"})
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file["r"].shape, file["r"].dtype, file["r"].attrs["complete"]) == ((0,), numpy.dtype("f4"), True)


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([1, 2.5], r"item 1 does not fit: its shape and dtype are \(\) float64, those before are \(\) int64"),
        ([[1], [1, 2]], r"item 1 does not fit: .* \(2,\) int64"),
        ([1, "a"], "item 1 is a str"),
        ([1, None], "item 1 is a NoneType"),
        ([1, [[1], [1, 2]]], "item 1 is no array of numbers"),
    ],
)
def test_an_item_that_does_not_fit_is_named(tmp_path: Path, items: list[Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        store_rows([items], tmp_path / "a.h5", "r", False, {})
    with h5py.File(tmp_path / "a.h5") as file:
        assert len(file["r"]) == 1
        assert not file["r"].attrs["complete"]


def test_items_are_converted_to_a_dtype_that_is_given(tmp_path: Path) -> None:
    store_rows([[1, 2.5]], tmp_path / "a.h5", "r", False, {"dtype": "f4"})
    with pytest.raises(UsageError, match="item 1 does not fit"):
        store_rows([[1, 2.5]], tmp_path / "a.h5", "s", False, {"dtype": "i4"})


def test_what_came_before_an_error_is_in_the_file(tmp_path: Path) -> None:
    def failing() -> Iterator[Sequence[Any]]:
        yield from batches(30)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store_rows(failing(), tmp_path / "a.h5", "results", False, {"compression": "gzip"})
    assert is_beginning(tmp_path / "a.h5") == (30, False)


def test_other_datasets_stay_and_the_same_is_replaced_when_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    store_rows(batches(3), path, "results", False, {})
    before = path.read_bytes()
    with pytest.raises(UsageError, match="has 'results' already"):
        store_rows(batches(5), path, "results", False, {})
    with pytest.raises(UsageError, match="cannot be made"):
        store_rows(batches(5), path, "results", True, {"compression": "none such"})
    assert path.read_bytes() == before
    store_rows(batches(4), path, "other", False, {})
    store_rows(batches(5), path, "results", True, {})
    assert (is_beginning(path), is_beginning(path, "other")) == ((5, True), (4, True))


def test_a_file_that_would_not_survive_a_kill_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["x"] = 1
    before = (tmp_path / "a.h5").read_bytes()
    with pytest.raises(UsageError, match="cannot be opened any more after a kill"):
        store_rows(batches(3), tmp_path / "a.h5", "results", False, {})
    assert (tmp_path / "a.h5").read_bytes() == before


@pytest.mark.parametrize("room", [20_000, 100_000, 400_000])
def test_a_full_disk_keeps_what_was_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(growing, "FLUSH_INTERVAL", 0.0)
    monkeypatch.setattr(growing, "PIECE", 1 << 12)
    monkeypatch.setattr(os, "pwrite", full_after(room))
    with pytest.raises(ArrayFileError, match=r"no room for .*a\.h5"):
        store_rows(batches(100_000, 50), tmp_path / "a.h5", "results", False, {})
    count, complete = is_beginning(tmp_path / "a.h5")
    assert count > 0
    assert not complete


def test_memory_is_that_of_a_piece(tmp_path: Path) -> None:
    def large(count: int) -> Iterator[list[Any]]:
        for number in range(count):
            yield [numpy.full(100_000, float(number))]

    store_rows(large(1), tmp_path / "warm.h5", "r", False, {})
    tracemalloc.start()
    store_rows(large(100), tmp_path / "a.h5", "r", False, {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


GROWING = """if True:
    import itertools, sys, numpy
    from mpikernel.arrays import growing
    growing.FLUSH_INTERVAL = 0.0
    def batches():
        for number in itertools.count():
            if number == 500:
                print("ready", flush=True)
                sys.stdin.read()
            yield [numpy.array([number, number**2, -number], float)]
    growing.store_rows(batches(), sys.argv[1], "results", False, eval(sys.argv[2]))
"""


@pytest.mark.parametrize("options", OPTIONS)
def test_a_kill_leaves_a_beginning(tmp_path: Path, options: dict[str, Any]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GROWING, tmp_path / "a.h5", repr(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    count, complete = is_beginning(tmp_path / "a.h5")
    assert 490 <= count <= 500
    assert not complete


def test_an_interrupt_in_the_middle_of_a_write_keeps_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.pwrite, []

    def pwrite(descriptor: int, data: Any, offset: int) -> int:
        calls.append(offset)
        if len(calls) == 40:
            raise KeyboardInterrupt
        return real(descriptor, data, offset)

    monkeypatch.setattr(growing, "FLUSH_INTERVAL", 0.0)
    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(KeyboardInterrupt):
        store_rows(batches(1000), tmp_path / "a.h5", "results", False, {})
    count, complete = is_beginning(tmp_path / "a.h5")
    assert 0 < count < 1000
    assert not complete


def test_an_interrupt_between_room_and_rows_leaves_no_empty_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = h5py.Dataset.resize, []

    def resize(dataset: Any, *args: Any, **kwargs: Any) -> None:
        real(dataset, *args, **kwargs)
        calls.append(args)
        if len(calls) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(growing, "FLUSH_INTERVAL", 0.0)
    monkeypatch.setattr(h5py.Dataset, "resize", resize)
    with pytest.raises(KeyboardInterrupt):
        store_rows(batches(1000), tmp_path / "a.h5", "results", False, {})
    assert is_beginning(tmp_path / "a.h5") == (15, False)
