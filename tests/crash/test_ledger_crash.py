"""What a ledger on disk is worth when its writer is killed, its disk is full or its file system turns read-only."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import lmdb
import pytest

from mpikernel.errors import LedgerError
from mpikernel.ledger import lmdb as ledger_lmdb
from mpikernel.ledger.lmdb import open_ledger, read_ledger
from mpikernel.ledger.lock import find_holder
from mpikernel.testing.ledger import RUN, contents, record

ROOT = Path(__file__).parents[2]
LIMIT = 60  # seconds for any of these programs

WRITER = """
import sys
from pathlib import Path
from mpikernel.ledger import lmdb
from mpikernel.testing.ledger import RUN, record

lmdb.FIRST_MAP = 1 << 16  # so that it grows again and again
ledger = lmdb.open_ledger(Path(sys.argv[1]))
ledger.begin_run(RUN)
batch, commits = int(sys.argv[2]), int(sys.argv[3])
for number in range(commits):
    ledger.write(map(record, range(number * batch, (number + 1) * batch)))
    ledger.commit()
    print((number + 1) * batch, flush=True)
print("idle", flush=True)
sys.stdin.read()
ledger.end_run(0, 2.0)
ledger.close()
"""

FILLER = """
import sys
from pathlib import Path
from mpikernel.errors import LedgerError
from mpikernel.ledger.lmdb import open_ledger, read_ledger
from mpikernel.testing.ledger import RUN, contents, record

folder = Path(sys.argv[1])
ledger = open_ledger(folder, fresh_space=0)
ledger.begin_run(RUN)
committed = 0
try:
    for first in range(0, 10_000_000, 4000):
        ledger.write(map(record, range(first, first + 4000)))
        ledger.commit()
        committed = first + 4000
except LedgerError as error:
    print(error)
try:
    ledger.close()
except LedgerError as error:
    print(error)
reader = read_ledger(folder)
assert contents(reader) == {(1, task): record(task) for task in range(committed)}, "the committed records are not those that are there"
print(committed)
"""

LOOKER = """
import sys
from pathlib import Path
from mpikernel.ledger.lock import find_holder

print("looking", flush=True)
while True:
    find_holder(Path(sys.argv[1]))
"""


def program(source: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", source, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def running(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A program that can be talked with; killed in the end."""
    command = program(source, *arguments)
    with subprocess.Popen(command, text=True, env=environment(), start_new_session=True, stdin=PIPE, stdout=PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill_and_hear(process: subprocess.Popen[str]) -> list[int]:
    """Kill it wherever it is; what it had said before."""
    process.kill()
    assert process.stdout is not None
    heard = [int(line) for line in process.stdout]
    assert process.wait(LIMIT) == -signal.SIGKILL
    return heard


@pytest.mark.parametrize(("batch", "heard"), [(1, 1), (1, 40), (7, 9), (500, 3), (4000, 2), (4000, 11)])
def test_every_committed_record_survives_a_kill(tmp_path: Path, batch: int, heard: int) -> None:
    with running(WRITER, tmp_path, batch, 1_000_000) as process:
        committed = [int(said(process)) for _ in range(heard)][-1]
        committed = max([committed, *kill_and_hear(process)])
    with closing(read_ledger(tmp_path)) as reader:
        found = contents(reader)
        assert not reader.live()
        assert [run.ended for run in reader.runs()] == [0.0]
    assert len(found) in (committed, committed + batch)  # the last commit may be done and not yet told
    assert found == {(1, task): record(task) for task in range(len(found))}


def test_history_tells_what_a_killed_run_did_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with running(WRITER, tmp_path / "ledger", 10, 1_000_000) as process:
        said(process)
        kill_and_hear(process)
    code = "from mpikernel.cli.history import history; history()"
    told = subprocess.run(program(code, tmp_path, "--json"), env=environment(), timeout=LIMIT, check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(rows) >= 10
    assert {(row["run"], row["status"]) for row in rows} == {(1, "unfinished")}
    page = subprocess.run(program(code, tmp_path), env=environment(), timeout=LIMIT, check=True, capture_output=True, text=True)
    assert "killed" in page.stdout.splitlines()[0]
    one_run(tmp_path / "ledger", number=2)


def test_a_live_run_is_read_beside_its_writer(tmp_path: Path) -> None:
    with running(WRITER, tmp_path, 100, 50) as process:
        first = int(said(process))
        with closing(read_ledger(tmp_path)) as reader:
            assert reader.live()
            snapshot = contents(reader)
            while said(process) != "idle":
                assert contents(reader) == snapshot  # while the writer commits and its map grows
        assert len(snapshot) >= first
        with closing(read_ledger(tmp_path)) as reader:
            assert len(contents(reader)) == 5000
        with pytest.raises(LedgerError, match=f"process {process.pid} on "):
            open_ledger(tmp_path)
        process.communicate("", timeout=LIMIT)
    with closing(read_ledger(tmp_path)) as reader:
        assert not reader.live()
        assert [run.ended for run in reader.runs()] == [2.0]


def test_who_looks_whether_a_run_is_live_keeps_no_run_from_starting(tmp_path: Path) -> None:
    open_ledger(tmp_path).close()
    with running(LOOKER, tmp_path) as process:
        assert said(process) == "looking"
        for number in range(1, 60):
            one_run(tmp_path, number)
    assert find_holder(tmp_path) is None


def one_run(folder: Path, number: int) -> None:
    ledger = open_ledger(folder)
    assert ledger.begin_run(RUN) == number
    ledger.end_run(0, 2.0)
    ledger.close()


READER = """
import sys
from pathlib import Path
from mpikernel.ledger.lmdb import read_ledger

reader = read_ledger(Path(sys.argv[1]))
print("reading", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def _small_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_lmdb, "FIRST_MAP", 1 << 18)


@pytest.mark.usefixtures("_small_map")
def test_a_reader_that_was_killed_does_not_make_the_file_grow_for_ever(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path)) as ledger:
        ledger.begin_run(RUN)
        with running(READER, tmp_path) as process:
            assert said(process) == "reading"
        for _ in range(300):
            ledger.write([record(1)])
            ledger.commit()
        assert (tmp_path / "data.mdb").stat().st_size <= 1 << 18


@pytest.mark.usefixtures("_small_map")
def test_a_run_that_grows_its_ledger_while_a_reader_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_run(tmp_path, 1)
    really_open = lmdb.open

    def open_and_be_overtaken(*arguments: Any, **options: Any) -> lmdb.Environment:
        opened = really_open(*arguments, **options)
        subprocess.run(program(WRITER, tmp_path, 4000, 10), env=environment(), timeout=LIMIT, check=True, stdin=DEVNULL, stdout=DEVNULL)
        return opened

    monkeypatch.setattr(lmdb, "open", open_and_be_overtaken)
    with closing(read_ledger(tmp_path)) as reader:
        assert len(contents(reader)) == 40_000


def test_a_file_that_may_not_grow_is_an_error_at_commit_and_costs_no_committed_record(tmp_path: Path) -> None:
    """As any user and anywhere: the limit on file sizes stands for a disk that is full."""
    told = fill(["prlimit", "--fsize=3000000"], tmp_path)
    assert f"the ledger in {tmp_path} cannot be written" in told[0]
    assert int(told[-1]) > 4000


def test_a_full_disk_is_an_error_at_commit_and_costs_no_committed_record(tmp_path: Path) -> None:
    told = fill(mounted("mount -t tmpfs -o size=4m none", tmp_path), tmp_path)
    assert f"the ledger in {tmp_path} cannot be written" in told[0]
    assert re.search(r"; 0\.\d MiB are free there$", told[0])
    assert int(told[-1]) > 4000


def fill(before: list[str], folder: Path) -> list[str]:
    """What FILLER says, run by another command."""
    done = subprocess.run([*before, *program(FILLER, folder)], env=environment(), timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def mounted(mount: str, folder: Path) -> list[str]:
    """The command that runs the rest of a command line where `folder` is mounted so, for it alone."""
    unshare = ["unshare", "--mount", "sh", "-c", f'{mount} "$0" && exec "$@"', str(folder)]
    tried = subprocess.run([*unshare, "true"], timeout=LIMIT, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this user cannot mount: {tried.stderr.strip()}")
    return unshare


@pytest.mark.parametrize(("mount", "reason"), [("mount -t tmpfs -o size=4m none", "no space"), ("mount -t tmpfs -o ro none", "Read-only")])
def test_a_disk_that_takes_nothing_is_an_error_at_the_start(tmp_path: Path, mount: str, reason: str) -> None:
    code = "import sys, pathlib; from mpikernel.ledger.lmdb import open_ledger; open_ledger(pathlib.Path(sys.argv[1]) / 'ledger')"
    done = subprocess.run(
        [*mounted(mount, tmp_path), *program(code, tmp_path)], env=environment(), timeout=LIMIT, capture_output=True, text=True
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "LedgerError" in last
    assert reason in last
    assert str(tmp_path / "ledger") in last


def test_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    one_run(tmp_path / "ledger", 1)
    command = mounted('mount --bind "$0" "$0" && mount -o remount,bind,ro', tmp_path)
    code = "from mpikernel.cli.history import history; history()"
    done = subprocess.run([*command, *program(code, tmp_path)], env=environment(), timeout=LIMIT, capture_output=True, text=True)
    assert done.stdout.startswith("run 1: "), done.stderr
