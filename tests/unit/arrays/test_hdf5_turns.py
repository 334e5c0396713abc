"""Savers of one file at a time: each has its turn, nothing that another program adds is lost, and what a kill leaves is removed."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy
import pytest

from mpikernel.arrays import disk, hdf5
from mpikernel.arrays.disk import Saver
from mpikernel.arrays.growing import store_rows
from mpikernel.errors import ArrayFileError
from tests.unit.arrays.test_hdf5 import write_whole


@pytest.fixture
def target(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["old"] = [1, 2, 3]
    return tmp_path / "a.h5"


def names(path: Path) -> set[str]:
    with h5py.File(path) as file:
        return set(file)


SAVING = """if True:
    import sys
    from mpikernel.arrays import hdf5
    with hdf5.saving(sys.argv[1]) as partial:
        seen = hdf5.begin(sys.argv[1], partial, "theirs", False, (3,), "f8", {})
        print(partial, flush=True)
        sys.stdin.read()
        hdf5.finish(sys.argv[1], partial, seen)
"""


@contextmanager
def saved_to_by_another_job(target: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The process and where it builds the file. It ends, having saved, if it is not killed before."""
    with subprocess.Popen([sys.executable, "-c", SAVING, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.communicate(timeout=60)


def test_every_saver_builds_in_a_place_of_its_own(target: Path) -> None:
    one, other = Saver.new(), Saver.new()
    assert one.partial(str(target)) != other.partial(str(target))
    assert re.fullmatch(rf".*/a\.h5\.{os.getpid()}-\d+@.+\.partial", one.partial(str(target)))
    assert Saver.parse(str(one)) == one
    assert Saver.parse("somebody") is Saver.parse("") is None


@pytest.mark.parametrize("there", [True, False])
def test_threads_wait_their_turn_for_as_long_as_it_takes(target: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(disk, "PATIENCE", 0.0)
    if not there:
        target.unlink()
    failed = []

    def save(number: int) -> None:
        try:
            write_whole(target, numpy.full(1000, number), f"x{number}")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    with h5py.File(target) as file:
        assert {name: set(file[name][:]) for name in file if name != "old"} == {f"x{number}": {number} for number in range(6)}
        assert ("old" in file) == there
    assert os.listdir(target.parent) == ["a.h5"]


@pytest.mark.parametrize("there", [True, False])
def test_a_saver_of_another_job_is_named(target: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(disk, "PATIENCE", 0.0)
    if not there:
        target.unlink()
    with saved_to_by_another_job(target) as (process, _):
        text = rf"a\.h5 is being saved to by process {process.pid} on {re.escape(os.uname().nodename)}"
        with pytest.raises(ArrayFileError, match=text):
            write_whole(target, numpy.arange(3))
        with pytest.raises(ArrayFileError, match=text):
            store_rows([[1, 2]], target, "rows", False, {})
    assert names(target) == ({"old", "theirs"} if there else {"theirs"})
    assert os.listdir(target.parent) == ["a.h5"]


def test_a_saver_of_another_job_is_waited_for(target: Path) -> None:
    with saved_to_by_another_job(target) as (process, _):
        ours = threading.Thread(target=write_whole, args=(target, numpy.arange(3), "ours"))
        ours.start()
        process.communicate(timeout=60)
        ours.join(60)
    assert names(target) == {"old", "theirs", "ours"}


def test_what_a_killed_saver_leaves_is_removed_by_the_next(target: Path) -> None:
    with saved_to_by_another_job(target) as (process, partial):
        process.kill()
    assert partial.exists()
    write_whole(target, numpy.arange(3), "ours")
    assert names(target) == {"old", "ours"}
    assert os.listdir(target.parent) == ["a.h5"]


def test_what_a_saver_of_another_host_left_stays(target: Path) -> None:
    theirs = Saver(1, 0, "elsewhere")
    Path(theirs.partial(str(target))).write_text("being built")
    Path(f"{target}.saving").write_text(str(theirs))
    write_whole(target, numpy.arange(3), "ours")
    assert sorted(os.listdir(target.parent)) == ["a.h5", "a.h5.1-0@elsewhere.partial"]


def test_where_there_are_no_locks_nothing_of_others_is_removed(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, kind: int) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    with hdf5.saving(str(target)) as theirs:
        Path(theirs).write_text("being built")
        write_whole(target, numpy.arange(3), "ours")
        assert Path(theirs).exists()
    assert names(target) == {"old", "ours"}
    assert os.listdir(target.parent) == ["a.h5"]


def test_hdf5_keeps_other_writers_out_and_lets_readers_in(target: Path) -> None:
    with hdf5.saving(str(target)):
        assert names(target) == {"old"}
        program = f"import h5py; h5py.File({str(target)!r}, 'r+')"
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert "unable to lock file" in ended.stderr
    with h5py.File(target, "r+") as file:
        file["new"] = 1


@pytest.mark.parametrize("there", [True, False])
def test_what_others_write_all_the_same_is_not_lost(target: Path, there: bool) -> None:
    if not there:
        target.unlink()
    with hdf5.saving(str(target)) as partial:
        seen = hdf5.begin(str(target), partial, "ours", False, (3,), "f8", {})
        with h5py.File(target, "a", locking=False) as file:
            file["theirs"] = numpy.arange(3)
        with pytest.raises(ArrayFileError, match=r"a\.h5 has been changed by another program meanwhile"):
            hdf5.finish(str(target), partial, seen)
    assert names(target) == ({"old", "theirs"} if there else {"theirs"})
    assert os.listdir(target.parent) == ["a.h5"]


def test_rows_that_come_wait_for_a_saver(target: Path) -> None:
    with saved_to_by_another_job(target) as (process, _):
        rows = threading.Thread(target=store_rows, args=([[1, 2]], target, "rows", False, {}))
        rows.start()
        process.communicate(timeout=60)
        rows.join(60)
    assert names(target) == {"old", "theirs", "rows"}


def test_a_folder_that_is_not_here_is_for_engines_to_tell(tmp_path: Path) -> None:
    with hdf5.saving(str(tmp_path / "no" / "a.h5")) as partial:
        assert not os.path.exists(os.path.dirname(partial))
