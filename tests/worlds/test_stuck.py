"""Calls that sit in MPI and wait for an engine that will not come end soon; the world goes on, and ends in order."""

from __future__ import annotations

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked
from tests.worlds.history import records


def test_calls_that_wait_in_vain_are_given_up_and_no_others(world: World) -> None:
    assert_checked(world(7, SCRIPTS / "stuck.py", limit=150))


def test_a_script_that_ends_while_engines_sit_in_mpi(world: World) -> None:
    finished = world(5, "--grace", "1", SCRIPTS / "stuck_at_end.py", "7", expect=7)
    assert "which raised ValueError: no" in finished.stdout
    assert "rank 3 (engine on " in finished.stderr
    assert "did not stop within 1 s" in finished.stderr
    assert [row["status"] for row in records(world)] == ["error", "error"]
