"""A rank that dies takes the world with it, under either MPI: soon, and with everything recorded that was done."""

from __future__ import annotations

import signal

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS
from tests.worlds.history import history, records

DEATHS = [(4, "kill"), (2, "kill"), (4, "crash"), (4, "exit-in-c"), (2, "exit-in-c"), (4, "abort")]


@pytest.mark.parametrize(("n", "how"), DEATHS)
def test_an_engine_that_dies_in_user_code(world: World, n: int, how: str) -> None:
    with world.start(n, SCRIPTS / "dying.py", how) as running:
        running.wait_for_line(r"^ready$", limit=30)
        finished = running.wait(limit=7)
    assert finished.exit_code != 0
    rows = records(world)
    assert [(row["label"], row["status"]) for row in rows[:3]] == [("abs", "ok")] * 3
    assert [(row["label"], row["status"]) for row in rows[3:]] in ([], [("die", "unfinished")])  # the last group is what a crash may cost
    assert "exit code 0 after" not in history(world)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_any_rank_that_is_killed(world: World, rank: int) -> None:
    with world.start(4, SCRIPTS / "until_killed.py") as running:
        running.wait_for_line(r"^ready$", limit=30)
        running.rank(rank).send_signal(signal.SIGKILL)
        assert running.wait(limit=7).exit_code != 0
    assert "ended with exit code 0" not in history(world)
