"""A cluster directory is made on demand, or says what is in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpikernel.config.directory import ClusterDirectory
from mpikernel.errors import ConfigError


def test_create_makes_every_folder_and_may_be_called_again(tmp_path: Path):
    directory = ClusterDirectory(tmp_path / "deep" / "run")
    directory.create()
    (directory.log / "rank0.log").write_text("kept")
    directory.create()
    assert sorted(path.name for path in directory.path.iterdir()) == ["ledger", "log", "pid", "results", "security"]
    assert (directory.log / "rank0.log").read_text() == "kept"


def test_security_is_for_the_owner_alone_even_if_it_was_not(tmp_path: Path):
    (tmp_path / "security").mkdir(mode=0o755)
    ClusterDirectory(tmp_path).create()
    assert (tmp_path / "security").stat().st_mode & 0o777 == 0o700


def test_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert ClusterDirectory("run").ledger == tmp_path / "run" / "ledger"


@pytest.mark.parametrize("obstacle", ["outer/run/ledger", "outer/run", "outer"])
def test_a_file_in_the_way_is_named(tmp_path: Path, obstacle: str):
    path = tmp_path / obstacle
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(ConfigError) as caught:
        ClusterDirectory(tmp_path / "outer" / "run").create()
    assert f"{path} is a file" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="choose another --cluster-dir"):
        ClusterDirectory(tmp_path / "run").create()


def test_a_file_system_that_takes_no_folder_is_told():
    with pytest.raises(ConfigError, match=r"cannot make the folder /proc/mpikernel: .+; make room for it, or choose another --cluster-dir"):
        ClusterDirectory("/proc/mpikernel").create()
