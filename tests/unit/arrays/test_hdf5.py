"""HDF5 files without a world: parts that are read are those that arrays are cut into, and no failure damages a file that was there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mpikernel
from mpikernel.arrays import hdf5
from mpikernel.arrays.array_file import ArrayFile
from mpikernel.arrays.partition import partition
from mpikernel.errors import ArrayFileError, UsageError

DTYPES: list[Any] = ["f8", ">i2", "?", "c8", [("a", "i4"), ("b", "f8", (2,))]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with some datasets."""
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["group/x"] = numpy.arange(30.0).reshape(10, 3)
        file["number"] = 3.0
        file["nothing"] = h5py.Empty("f8")
        file["words"] = ["to", "be", "or"]
    return path


def write_whole(target: Path, array: Any, name: str = "x", overwrite: bool = False, **options: Any) -> None:
    """What `save` does, with two engines."""
    parts = partition(array, 2)
    with hdf5.saving(str(target)) as partial:
        seen = hdf5.begin(str(target), partial, name, overwrite, array.shape, array.dtype, options)
        hdf5.write_part({"v": parts[0]}, "v", partial, name, 0)
        hdf5.write_part({"v": parts[1]}, "v", partial, name, len(parts[0]))
        hdf5.finish(str(target), partial, seen)


# names of arrays --------------------------------------------------------------------------------------------------------


def test_an_array_file_is_a_value() -> None:
    assert ArrayFile("a.h5", "x") == ArrayFile("a.h5", "x") != ArrayFile("a.h5", "y")
    assert mpikernel.ArrayFile(Path("a.h5"), "x").absolute() == ArrayFile(os.path.abspath("a.h5"), "x")


@pytest.mark.parametrize("wrong", [(3, "x"), ("a.h5", None), ("a.h5", ""), ("a.h5", "/")])
def test_an_array_file_names_a_dataset(wrong: tuple[Any, Any]) -> None:
    with pytest.raises(UsageError, match="the path of a file and the name of a dataset"):
        ArrayFile(*wrong)


def test_neither_names_nor_arrays_import_h5py() -> None:
    program = (
        "import sys, mpikernel; from mpikernel.arrays.hdf5 import file_of; file_of([1]); file_of(mpikernel.ArrayFile('a', 'x')); "
        "assert not {'h5py', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_where_a_sequence_lies(path: Path) -> None:
    assert hdf5.file_of([1, 2]) is None
    assert hdf5.file_of(numpy.arange(3)) is None
    with h5py.File(path) as file:
        assert hdf5.file_of(file["group"]["x"]) == ArrayFile(str(path), "/group/x")
        kept = file["group/x"]
    with pytest.raises(UsageError, match="its file is closed"):
        hdf5.file_of(kept)


def test_datasets_that_lie_in_memory_cannot_be_scattered() -> None:
    with h5py.File("none", "w", driver="core", backing_store=False) as file, pytest.raises(UsageError, match="engines cannot open none"):
        hdf5.file_of(file.create_dataset("x", data=[1]))


# reading ----------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 20), st.integers(1, 6), st.sampled_from(["b", "r"]), st.sampled_from([(), (3,), (2, 0), (1, 4)]))
def test_parts_are_those_that_arrays_are_cut_into(
    tmp_path_factory: pytest.TempPathFactory, length: int, parts: int, dist: str, row: tuple[int, ...]
) -> None:
    target = tmp_path_factory.mktemp("parts") / "a.h5"
    array = numpy.arange(length * int(numpy.prod(row)), dtype="i4").reshape(length, *row)
    with h5py.File(target, "w") as file:
        file["x"] = array
    read = [hdf5.read_part(ArrayFile(str(target), "x"), index, parts, dist) for index in range(parts)]
    for part, expected in zip(read, partition(array, parts, dist), strict=True):
        assert (part.shape, part.dtype) == (expected.shape, expected.dtype)
        assert (part == expected).all()
        assert part.flags.writeable
        assert part.flags.owndata


def test_a_single_row_may_be_bound_bare(path: Path) -> None:
    space: dict[str, Any] = {}
    hdf5.bind_part(space, "x", ArrayFile(str(path), "group/x"), (0, 10, "b"), True)
    hdf5.bind_part(space, "y", ArrayFile(str(path), "group/x"), (0, 10, "b"), False)
    assert space["x"].tolist() == [0, 1, 2]
    assert space["y"].tolist() == [[0, 1, 2]]


def test_texts_can_be_read(path: Path) -> None:
    assert hdf5.read_part(ArrayFile(str(path), "words"), 1, 2, "b").tolist() == [b"or"]


def test_what_is_in_the_way_of_reading_is_told(path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    wrong: list[tuple[str, str, type[Exception], str]] = [
        ("none.h5", "x", ArrayFileError, "there is no file .*none.h5"),
        ("no/none.h5", "x", ArrayFileError, "there is no folder .*no for none.h5"),
        ("text.h5", "x", ArrayFileError, "text.h5 is not an HDF5 file"),
        (".", "x", ArrayFileError, "is a folder"),
        ("data.h5", "y", UsageError, "has no dataset 'y'; it has group/x, nothing, number, words"),
        ("data.h5", "group", UsageError, "has no dataset 'group'"),
        ("data.h5", "number", UsageError, "'number' in .* has 0 dimensions"),
        ("data.h5", "nothing", UsageError, "'nothing' in .* has 0 dimensions"),
    ]
    for file, name, kind, text in wrong:
        with pytest.raises(kind, match=text):
            hdf5.read_part(ArrayFile(str(tmp_path / file), name), 0, 1, "b")


HOLDER = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"


def test_a_file_that_somebody_writes_is_locked(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        for use in (lambda: hdf5.read_part(ArrayFile(str(path), "x"), 0, 1, "b"), lambda: write_whole(path, numpy.arange(3))):
            with pytest.raises(ArrayFileError, match="is locked: it is open for writing elsewhere"):
                use()
        holder.communicate(timeout=60)


def test_a_file_that_this_process_writes_is_locked(path: Path) -> None:
    with h5py.File(path, "r+"), pytest.raises(ArrayFileError, match="is locked"):
        write_whole(path, numpy.arange(3))


# writing ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_become_one_dataset(tmp_path: Path, dtype: Any) -> None:
    array = numpy.zeros((5, 3), dtype)
    array[2:] = numpy.ones((), dtype)
    write_whole(tmp_path / "a.h5", array)
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file["x"].dtype, file["x"].shape, file["x"].is_virtual) == (array.dtype, array.shape, False)
        assert (file["x"][:] == array).all()
    assert os.listdir(tmp_path) == ["a.h5"]


def test_options_are_those_of_h5py(tmp_path: Path) -> None:
    options: dict[str, Any] = {"compression": "gzip", "shuffle": True, "chunks": (2, 3), "maxshape": (None, 3), "dtype": "f4"}
    write_whole(tmp_path / "a.h5", numpy.ones((5, 3)), **options)
    with h5py.File(tmp_path / "a.h5") as file:
        assert {name: getattr(file["x"], name) for name in options} == options


@pytest.mark.parametrize("array", [numpy.empty((0, 3)), numpy.empty((4, 0)), numpy.arange(1)])
def test_parts_may_be_empty(tmp_path: Path, array: Any) -> None:
    write_whole(tmp_path / "a.h5", array)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["x"].shape == array.shape


def test_what_a_file_holds_stays(path: Path) -> None:
    write_whole(path, numpy.arange(4), "group/new")
    with h5py.File(path) as file:
        assert file["group/new"][:].tolist() == [0, 1, 2, 3]
        assert file["group/x"].shape == (10, 3)
        assert file["number"][()] == 3.0


def test_a_dataset_is_replaced_only_when_that_is_asked_for(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match="has 'group/x' already: choose another name, or overwrite=True"):
        write_whole(path, numpy.arange(4), "group/x")
    assert path.read_bytes() == before
    sizes = []
    for _ in range(4):
        write_whole(path, numpy.arange(10000), "group/x", overwrite=True)
        sizes.append(path.stat().st_size)
    assert len(set(sizes)) == 1  # the room of what is replaced is used again
    with h5py.File(path) as file:
        assert len(file["group/x"]) == 10000


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_file_keeps_its_permissions(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / "a.h5", numpy.arange(4))
    (tmp_path / "a.h5").chmod(0o640)
    write_whole(tmp_path / "a.h5", numpy.arange(4), name, overwrite=True)
    assert (tmp_path / "a.h5").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.h5").symlink_to("a.h5")
    target, _ = hdf5.checked_target(tmp_path / "link.h5", "x", {})
    write_whole(Path(target), numpy.arange(4))
    assert (tmp_path / "link.h5").is_symlink()
    assert hdf5.read_part(ArrayFile(str(tmp_path / "link.h5"), "x"), 0, 1, "b").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("array", "options", "text"),
    [
        (numpy.arange(4), {"chunks": (9, 9)}, "Chunk shape"),
        (numpy.arange(4), {"compression": "none such"}, "Compression filter"),
        (numpy.arange(4), {"nonsense": 1}, "nonsense"),
        (numpy.array(["a", "b"]), {}, "No conversion path"),
        (numpy.array([object()]), {}, "Object dtype"),
        (numpy.array(["2020-01-01"], "M8[D]"), {}, "No conversion path"),
    ],
)
def test_what_cannot_be_made_changes_nothing(path: Path, array: Any, options: dict[str, Any], text: str) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match=f"'x' cannot be made in .*data.h5: .*{text}"):
        write_whole(path, array, **options)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["data.h5"]


def test_numbers_and_lists_count_as_arrays() -> None:
    space = {"a": 3, "b": [1.5, 2.5], "m": numpy.ma.masked_array([1, 2], [True, False]), "r": [[1], [1, 2]]}
    assert hdf5.measure(space, "a") == ((1,), numpy.dtype(int))
    assert hdf5.measure(space, "b") == ((2,), numpy.dtype(float))
    with pytest.raises(UsageError, match="m is a masked array"):
        hdf5.measure(space, "m")
    with pytest.raises(UsageError, match="r is no array, but a list"):
        hdf5.measure(space, "r")
    with pytest.raises(NameError, match="name 'none' is not defined"):
        hdf5.measure(space, "none")


def test_places_where_nothing_can_be_written(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArrayFileError, match=r"there is no folder .*no for a\.h5"):
        write_whole(tmp_path / "no" / "a.h5", numpy.arange(4))
    with pytest.raises(ArrayFileError, match="is a folder"):
        write_whole(tmp_path, numpy.arange(4))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ArrayFileError, match=r"no permission to write to .*data\.h5"):
        write_whole(path, numpy.arange(4))


def test_options_that_are_not_the_users() -> None:
    with pytest.raises(UsageError, match="data= cannot be given"):
        hdf5.checked_target("a.h5", "x", {"data": [1]})


def full_after(room: int) -> Callable[[int, Any, int], int]:
    """os.pwrite of a disk that has room for so many bytes."""
    real, left = os.pwrite, [room]

    def pwrite(descriptor: int, data: Any, offset: int) -> int:
        if len(data) > left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= len(data)
        return real(descriptor, data, offset)

    return pwrite


@pytest.mark.parametrize("room", [0, 100, 1000, 5000, 50_000, 300_000])
@pytest.mark.parametrize("options", [{}, {"chunks": (100,)}, {"chunks": (1000,), "compression": "gzip"}])
def test_a_full_disk_is_an_error_and_damages_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, room: int, options: Any) -> None:
    before = path.read_bytes()
    array = numpy.random.default_rng(0).random(100_000)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full_after(room))
        with pytest.raises(ArrayFileError, match=r"no room for .*: No space left on device"):
            write_whole(path, array, **options)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["data.h5"]
    write_whole(path, array, **options)
    with h5py.File(path) as file:
        assert (file["x"][:] == array).all()
