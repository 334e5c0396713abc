"""Who writes a ledger: one at a time, named, and nobody once it is gone."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

import pytest

from mpikernel.errors import LedgerError
from mpikernel.ledger.lock import LOCK_NAME, RunLock, find_holder

HERE = f"process {os.getpid()} on {socket.gethostname()}"


def test_the_holder_is_found_until_it_lets_go(tmp_path: Path) -> None:
    assert find_holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    lock = RunLock(tmp_path)
    assert str(find_holder(tmp_path)) == HERE
    with pytest.raises(LedgerError, match=HERE):
        RunLock(tmp_path)
    lock.release()
    assert find_holder(tmp_path) is None


def test_a_longer_name_of_an_earlier_holder_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text(f"1234567890 {'x' * 200}\n")
    lock = RunLock(tmp_path)
    assert str(find_holder(tmp_path)) == HERE
    lock.release()


def test_a_child_that_was_forked_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)  # until the parent is through
        os._exit(0)
    lock.release()
    assert find_holder(tmp_path) is None
    os.close(writing)
    os.close(reading)
    os.waitpid(child, 0)


def test_a_holder_that_did_not_say_its_name(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    (tmp_path / LOCK_NAME).write_bytes(b"\xff\xfe")
    assert str(find_holder(tmp_path)) == "process 0 on an unknown host"
    lock.release()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(LedgerError, match=f"the file system of {tmp_path} cannot lock files .No locks available."):
        RunLock(tmp_path)
    assert find_holder(tmp_path) is None
