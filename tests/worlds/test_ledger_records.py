"""What the ledger keeps of a run, as `ipcluster history` shows it: every command and task, however the run ended."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

import pytest

from tests.harness.waiting import wait_until
from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS
from tests.worlds.history import history, records


def told(record: dict[str, Any]) -> tuple[Any, ...]:
    return record["kind"], record["label"], record["engine"], record["status"], record["attempt"]


@pytest.mark.parametrize("n", [1, 3, 5])
def test_every_command_and_task_of_a_run(world: World, n: int) -> None:
    assert world(n, SCRIPTS / "commands.py").exit_code == 0
    engines = {1: 1, 3: 2, 5: 2}[n]
    rows = records(world)
    direct = [told(row) for row in rows if row["kind"] != "task"]
    busy = [("apply", "nap", 0, "ok", 1), ("apply", "succeed", 0, "aborted" if n > 1 else "ok", 1)]
    assert direct == [
        ("push", "a, b", 0, "ok", 1),
        ("pull", "a", 0, "ok", 1),
        ("execute", "c = 3", 0, "ok", 1),
        *[("apply", "succeed", engine, "ok", 1) for engine in range(engines)],
        ("apply", "fail", 0, "error", 1),
        ("scatter", "part", 0, "ok", 1),
        ("gather", "part", 0, "ok", 1),
        *busy,
    ]
    tasks = [row for row in rows if row["kind"] == "task"]
    assert [(row["label"], row["status"], row["attempt"]) for row in tasks] == [("succeed", "ok", 1)] * 3 + [("fail", "error", 2)]
    assert [row["error"] for row in rows if row["status"] == "error"] == ["ValueError: no 1 and no", "ValueError: no 2 and no"]
    for row in rows:
        if row["status"] in ("ok", "error"):
            assert row["host"] == socket.gethostname()
            assert row["rank"] == {1: 0, 3: 1, 5: 3}[n] + row["engine"]
            assert row["submitted_s"] <= row["started_s"] + 0.002 <= row["completed_s"] + 0.004


def test_the_table_for_people(world: World) -> None:
    world(3, SCRIPTS / "commands.py", "with", "arguments")
    table = history(world)
    assert "run 1:" in table
    assert "ended with exit code 0" in table
    assert "3 ranks on" in table
    assert f"{SCRIPTS / 'commands.py'} with arguments" in table
    assert "error ValueError: no 1 and no" in table
    assert "(attempt 2)" in table
    assert "ValueError" in history(world, "--failed")
    assert "push a, b" not in history(world, "--failed")


def test_a_killed_run(world: World) -> None:
    with world.start(4, SCRIPTS / "until_killed.py") as running:
        running.wait_for_line(r"^ready$", limit=30)
        assert wait_until(lambda: len(records(world)) == 4, limit=20)  # a run that goes on can be read
        assert "still running" in history(world)
        assert [row["status"] for row in records(world)] == ["ok", "ok", "ok", "submitted"]
        running.kill(4)
        running.wait(limit=10)
    assert "killed" in history(world)
    rows = records(world)
    assert [(row["label"], row["status"]) for row in rows] == [("abs", "ok")] * 3 + [("sleep_for_ever", "unfinished")]
    assert rows[3]["completed"] is None
    world(2, SCRIPTS / "commands.py")  # the next run in the same folder has its own number
    assert history(world).startswith("run 2:")
    assert records(world, "--run", "1") == rows


def test_how_a_run_ended_is_kept(world: World) -> None:
    world.script(4, "raise SystemExit(9)", expect=9)
    world.script(2, "1 / 0", expect=1)
    with world.start(4, SCRIPTS / "until_killed.py") as running:
        running.wait_for_line(r"^ready$", limit=30)
        running.rank(1).send_signal(signal.SIGTERM)
        assert running.wait(limit=10).exit_code == 143
    ends = [line for line in history(world, "--run", "all").splitlines() if line.startswith("run ")]
    assert [line.partition("exit code ")[2].split()[0] for line in ends] == ["9", "1", "143"]
    assert [row["status"] for row in records(world)] == ["ok", "ok", "ok", "unfinished"]


def test_what_user_code_names_badly_is_kept_too(world: World) -> None:
    source = r"""
        from mpikernel import Client
        view = Client()[0]
        def fail(): raise ValueError("tab\t, bell\a, \udcff")
        fail.__qualname__ = "na\u00efve \udcff"
        try: view.apply_sync(fail)
        except ValueError: pass
        view.execute("x = '''\n" + "y" * 100_000 + "'''", block=True)
    """
    world.script(2, source)
    first, second = records(world)
    assert (first["label"], first["status"]) == ("naïve \\udcff", "error")
    assert "\\udcff" in first["error"]
    assert (second["label"], second["status"]) == ("x = '''", "ok")
    assert os.linesep.join(line for line in history(world).splitlines() if "bell" in line).isprintable()
