"""What a script learns of its calls from the ledger, in worlds of every size, and over several runs in one folder."""

from __future__ import annotations

import pytest

from tests.harness.waiting import wait_until
from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked
from tests.worlds.history import records


@pytest.mark.parametrize("n", [3, 6])
def test_queries(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "queries.py", "1"))
    assert_checked(world(n, SCRIPTS / "queries.py", "2"))  # beside what the first has left


def test_earlier_runs_are_purged_and_later_ones_stay(world: World) -> None:
    for _ in range(2):
        world.script(3, "from mpikernel import Client; Client()[:].apply_sync(abs, -1)")
    source = """
        from mpikernel import Client
        client = Client()
        client[0].apply_sync(abs, -1)
        assert client.run_number == 3
        assert client.purge_results("all", run=1) == 2
        assert [row["run"] for row in client.db_query({})] == [2, 2, 3]
        assert client.purge_results([0], run=2) == 1
        assert client.purge_results("all") == 2
    """
    world.script(3, source)
    assert [len(records(world, "--run", str(run))) for run in (1, 2, 3)] == [0, 0, 0]


@pytest.mark.parametrize("n", [1, 3, 6])
def test_tasks_are_made_again(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "resubmitting.py", "1"))
    assert_checked(world(n, SCRIPTS / "resubmitting.py", "2"))


def test_what_was_killed_is_found_as_unfinished(world: World) -> None:
    with world.start(3, SCRIPTS / "until_killed.py") as running:
        running.wait_for_line(r"^ready$", limit=30)
        assert wait_until(lambda: len(records(world)) == 4, limit=20)
        running.kill(3)
        running.wait(limit=10)
    source = """
        from mpikernel import Client
        client = Client()
        (left,) = client.db_query({"status": "unfinished"})
        again = client.resubmit(left)
        again.abort()
        print(left["label"], again.wait(30), client.purge_results("all", run=1))
    """
    assert world.script(3, source).stdout == "sleep_for_ever True 4\n"
