"""How much memory there is to take."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from mpikernel.wire import available


def test_it_is_no_more_than_the_host_has() -> None:
    room = available.available_memory()
    assert room is not None
    assert 0 < room <= psutil.virtual_memory().total


def test_a_control_group_of_a_batch_system_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tmp_path / "cgroup" / "job_7"
    job.mkdir(parents=True)
    (job / "memory.max").write_text("1000\n")
    (job / "memory.current").write_text("700\n")
    (job / "memory.stat").write_text("anon 300\ninactive_file 50\n")
    (tmp_path / "cgroup" / "memory.max").write_text("max\n")
    monkeypatch.setattr(available, "GROUPS", tmp_path / "cgroup")
    (tmp_path / "own").write_text("9:name=systemd:/\n0::/job_7/step_0\n")
    monkeypatch.setattr(available, "OWN", tmp_path / "own")
    assert available.available_memory() == 350


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available, "HOST", tmp_path / "none")
    monkeypatch.setattr(available, "OWN", tmp_path / "none")
    assert available.available_memory() is None
