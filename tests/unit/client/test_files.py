"""What the client does about arrays in files: how parts are put side by side, who is asked, and what is not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from mpikernel.client.client import Client
from mpikernel.client.files import fitted
from mpikernel.errors import CompositeError, UsageError
from mpikernel.testing.loopback import LoopbackWorld

F8, I4 = numpy.dtype("f8"), numpy.dtype("i4")


@pytest.fixture
def engine_count() -> int:
    return 3


@pytest.fixture
def client(working: LoopbackWorld) -> Client:
    return Client()


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([((2, 3), F8), ((1, 3), F8)], ((3, 3), F8)),
        ([((2,), I4), ((0,), F8), ((5,), I4)], ((7,), I4)),  # an empty list is an array of floats
        ([((0, 3), I4), ((0,), F8)], ((0, 3), I4)),
        ([((4, 0), F8)], ((4, 0), F8)),
    ],
)
def test_parts_that_fit_together(parts: list[Any], whole: Any) -> None:
    assert fitted(parts, range(len(parts)), "x") == whole


@pytest.mark.parametrize("other", [((2, 4), F8), ((2,), F8), ((2, 3), I4), ((2, 3), F8.newbyteorder())])
def test_parts_that_do_not_are_told_with_their_engines(other: Any) -> None:
    with pytest.raises(UsageError, match=r"the parts of x do not fit together along axis 0: engine 4: \(1, 3\) float64, engine 7: \(2"):
        fitted([((1, 3), F8), other], [4, 7], "x")


def test_engines_tell_what_is_missing_and_nothing_is_written(client: Client, tmp_path: Path) -> None:
    with pytest.raises(CompositeError, match="NameError: name 'x' is not defined"):
        client[:].save("x", tmp_path / "a.h5")
    with pytest.raises(NameError):
        client[1].save("x", tmp_path / "a.h5")
    with pytest.raises(UsageError, match="the path of a file and the name of a dataset"):
        client[:].save("x", tmp_path / "a.h5", "")
    assert not list(tmp_path.iterdir())


def test_a_view_saves_what_its_engines_have(client: Client, tmp_path: Path) -> None:
    client[:].save("pow.__class__.__basicsize__", tmp_path / "a.h5", "sizes")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["sizes"].shape == (3,)


@pytest.mark.parametrize("ordered", [True, False])
def test_results_become_a_dataset_and_are_let_go_of(client: Client, tmp_path: Path, ordered: bool) -> None:
    result = client.load_balanced_view().map_async(abs, range(-20, 0), chunksize=3, ordered=ordered)
    result.to_hdf5(tmp_path / "a.h5", "r", compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["r"][:].tolist() == list(range(20, 0, -1))
    assert not any(call.frames for call in result.calls)
    with pytest.raises(UsageError, match="the result of abs is not kept here any more"):
        result.get()


def test_results_that_were_asked_for_before_stay(client: Client, tmp_path: Path) -> None:
    result = client[:].map_async(abs, range(-5, 0))
    assert result.get() == [5, 4, 3, 2, 1]
    result.to_hdf5(tmp_path / "a.h5")
    assert result.get() == [5, 4, 3, 2, 1]


def test_an_error_comes_after_the_results_before_it(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        client.load_balanced_view().map_async(divmod, [7, 8, 9], [2, 4, 0]).to_hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["results"][:].tolist() == [[3, 1], [2, 0]]
        assert not file["results"].attrs["complete"]
