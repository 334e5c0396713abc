"""A job's processes are found by their mark, wherever they went, and ended; nobody else's are."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mpikernel.cluster.processes import mark_environment, members, new_mark, remove, shared_memory, sweep, wait_gone
from tests.harness.waiting import wait_until

#: Prints its own id and that of a child that left its session, as MPICH's ranks do, and waits.
FAMILY = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
print(child.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def family() -> Iterator[tuple[str, set[int]]]:
    """A mark, and the ids of the two processes that have it."""
    mark = new_mark()
    parent = subprocess.Popen([sys.executable, "-c", FAMILY], env=mark_environment(os.environ, mark), stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    yield mark, {parent.pid, child}
    sweep(mark, 0)
    parent.stdout.close()
    parent.wait()


def test_marks_differ():
    assert new_mark() != new_mark()


def test_members_are_found_in_other_sessions_too(family: tuple[str, set[int]]):
    mark, pids = family
    assert {process.pid for process in members(mark)} == pids
    assert members(new_mark()) == []


def test_a_job_in_a_job_belongs_to_both(family: tuple[str, set[int]]):
    outer, pids = family
    inner = new_mark()
    environ = mark_environment(mark_environment(os.environ, outer), inner)
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], env=environ, stdin=subprocess.PIPE) as nested:
        assert wait_until(lambda: {process.pid for process in members(inner)} == {nested.pid}, limit=10)  # it is just being started
        assert {process.pid for process in members(outer)} == {nested.pid, *pids}


def test_an_orphan_still_belongs_to_its_job(family: tuple[str, set[int]]):
    mark, pids = family
    first, *_ = [process for process in members(mark) if process.ppid() == os.getpid()]
    first.kill()
    first.wait()
    assert {process.pid for process in members(mark)} == pids - {first.pid}


def test_sweep_ends_all(family: tuple[str, set[int]]):
    mark, _ = family
    assert len(wait_gone(mark, 0)) == 2
    assert sweep(mark, 0) == []
    assert members(mark) == []


def test_only_memory_of_mpi_that_the_processes_use_counts():
    used, other = (Path(f"/dev/shm/mpich_shm_{new_mark()}_0") for _ in range(2))
    foreign = Path(f"/dev/shm/of_the_users_{new_mark()}")
    for path in (used, other, foreign):
        path.write_bytes(bytes(mmap.PAGESIZE))
    with used.open("r+b") as file, foreign.open("r+b") as users, mmap.mmap(file.fileno(), 0), mmap.mmap(users.fileno(), 0):
        assert shared_memory([psutil.Process()]) == {str(used)}
    remove(map(str, (used, other, foreign)))
    assert not used.exists()


def test_removing_what_is_gone_is_no_error(tmp_path: Path):
    remove([str(tmp_path / "gone")])
