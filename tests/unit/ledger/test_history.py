"""`ipcluster history`: the page, the JSON lines, the exit codes, and what a terminal or a pipe makes of them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mpikernel.cli.history import history
from mpikernel.ledger.lmdb import open_ledger
from mpikernel.ledger.records import ABORTED, ERROR, OK, Record, Run

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-c", "from mpikernel.cli.history import history; history()"]
BEGAN = 1_750_000_000.0
LIMIT = 60

RECORDS = [
    Record(1, "push", "data", 0, 3, "node1", BEGAN, BEGAN + 0.001, BEGAN + 0.002, OK),
    Record(20, "task", "resample", 1, 4, "node2", BEGAN, BEGAN + 1, BEGAN + 3, ERROR, "ValueError: no such thing", 2),
    Record(300, "task", "数" * 60, submitted=BEGAN),
    Record(123_456_789_012, "execute", "x = 1\n\x1b[2J", submitted=BEGAN, status=ABORTED),
]


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A cluster directory with a run that ended and one that was killed."""
    ledger = open_ledger(tmp_path / "ledger")
    for program in ("first.py", "second.py"):
        ledger.begin_run(Run(0, BEGAN, program=program, size=8, engines=5, hosts=("node1", "node2"), mpi="Some MPI 1.0"))
        ledger.write(RECORDS)
        if program == "first.py":
            ledger.end_run(3, BEGAN + 60)
    ledger.close()
    return tmp_path


def ask(*arguments: object) -> Result:
    return CliRunner().invoke(history, [str(argument) for argument in arguments])


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match(r" *\d+  ?(push|task|execute)\b", line)]


def test_the_last_run_is_shown(cluster: Path) -> None:
    told = ask(cluster)
    assert told.exit_code == 0
    head = told.stdout.splitlines()
    assert head[0].startswith("run 2: ")
    assert head[0].endswith(", killed: no end was written")
    assert head[1:4] == [
        "  8 ranks on node1, node2, 5 engines, Some MPI 1.0",
        "  second.py",
        "  4 records: 1 aborted, 1 error, 1 ok, 1 unfinished",
    ]
    assert head[4].split() == ["id", "what", "where", "submitted", "waited", "took", "ended"]
    assert [row.split()[0] for row in rows(told.stdout)] == ["1", "20", "300", "123456789012"]


def test_a_row_says_what_where_when_and_how_it_ended(cluster: Path) -> None:
    told = rows(ask(cluster).stdout)
    assert re.fullmatch(r" +1  push data +engine 0, rank 3, node1  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  1.0 ms  1.0 ms  ok", told[0])
    assert told[1].endswith("  1.00 s  2.00 s  error (attempt 2) ValueError: no such thing")
    assert told[2].endswith("  unfinished")
    assert re.search(r"execute x = 1 \[2J +- .* aborted$", told[3])


def test_a_run_by_number_and_all_runs(cluster: Path) -> None:
    assert "ended with exit code 3 after 1 min 00 s" in ask(cluster, "--run", 1).stdout.splitlines()[0]
    told = ask(cluster, "--run", "all").stdout
    assert re.findall("^run [0-9]", told, re.MULTILINE) == ["run 1", "run 2"]
    assert len(rows(told)) == 8


@pytest.mark.parametrize("number", ["3", "0", "-1", "x", "1.0"])
def test_a_run_that_is_not_there(cluster: Path, number: str) -> None:
    told = ask(cluster, "--run", number)
    assert told.exit_code == 2
    assert f"there is no run {number}; the ledger has runs 1 to 2" in told.stderr


def test_only_what_failed(cluster: Path) -> None:
    assert [row.split()[0] for row in rows(ask(cluster, "--failed").stdout)] == ["20", "300", "123456789012"]
    assert [json.loads(line)["task"] for line in ask(cluster, "--failed", "--json").stdout.splitlines()] == [20, 300, 123_456_789_012]


def test_json_lines(cluster: Path) -> None:
    told = [json.loads(line) for line in ask(cluster, "--json", "--run", "all").stdout.splitlines()]
    assert [(row["run"], row["task"]) for row in told] == [(run, record.task) for run in (1, 2) for record in RECORDS]
    first = told[0]
    assert (first["submitted"], first["submitted_s"]) == ("2025-06-15T15:06:40.000000Z", BEGAN)
    assert [row["status"] for row in told[4:]] == ["ok", "error", "unfinished", "aborted"]
    assert told[3]["label"] == "x = 1\n\x1b[2J"


def test_the_ledger_itself_will_do(cluster: Path) -> None:
    assert ask(cluster / "ledger").stdout == ask(cluster).stdout


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "data.mdb").write_text("no ledger")
    for directory, text in (("missing", "there is no directory"), ("file", "there is no ledger in"), (".", "damaged or no LMDB file")):
        told = ask(tmp_path / directory)
        assert (told.exit_code, told.stdout) == (2, "")
        assert told.stderr.startswith("Error: ")
        assert text in told.stderr


def test_no_run_yet(tmp_path: Path) -> None:
    open_ledger(tmp_path / "ledger").close()
    told = ask(tmp_path)
    assert (told.exit_code, told.stdout, told.stderr) == (0, "", "no run has begun in this ledger yet\n")


def test_a_pipe_that_is_closed_early_is_no_traceback(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    ledger.begin_run(Run(0, BEGAN))
    ledger.write(Record(task, "task", "f" * 40) for task in range(5000))
    ledger.close()
    for option in ("--failed", "--json"):
        command = [*COMMAND, str(tmp_path), option]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(1)
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(LIMIT) == 1


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def test_an_encoding_that_lacks_a_letter(cluster: Path) -> None:
    done = subprocess.run([*COMMAND, str(cluster)], env=environment(PYTHONIOENCODING="ascii"), timeout=LIMIT, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"task ????" in done.stdout


def on_a_terminal(cluster: Path, columns: int) -> list[str]:
    """What a terminal with so many columns gets to see."""
    ours, theirs = pty.openpty()
    try:
        command = [*COMMAND, str(cluster)]
        done = subprocess.run(command, env=environment(COLUMNS=str(columns)), stdin=theirs, stdout=theirs, timeout=LIMIT, check=True)
        assert done.returncode == 0
        return os.read(ours, 65536).decode().splitlines()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("columns", [30, 60, 80, 120, 130, 200])
def test_a_terminal_of_any_width(cluster: Path, columns: int) -> None:
    lines = on_a_terminal(cluster, columns)
    assert any("\x1b[31m" in line for line in lines)  # an error is red
    plain = [re.sub(r"\x1b\[\d*m", "", line) for line in lines][4:]
    assert max(map(shown_width, plain)) <= columns
    assert [row.split()[0] for row in rows("\n".join(plain))] == ["1", "20", "300", "123456789012"]
    assert "ValueError: no such thing" in " ".join(" ".join(plain).split())


def shown_width(line: str) -> int:
    return len(line) + line.count("数")


def test_a_pipe_gets_no_colours(cluster: Path) -> None:
    assert "\x1b" not in ask(cluster).stdout
