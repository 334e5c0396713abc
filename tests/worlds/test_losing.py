"""With Open MPI's --with-ft ulfm a world goes on without engines that die; see test_deaths.py for all others."""

from __future__ import annotations

import signal

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked
from tests.worlds.history import history

ULFM = ("--with-ft", "ulfm")

pytestmark = pytest.mark.parametrize("mpi", ["openmpi"], indirect=True)


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ("killed_from_outside", 0),
        ("killed_by_direct_calls", 5),
        ("killed_by_a_task", 0),
        ("killed_in_a_map", 0),
        ("left_in_c", 0),
        ("killed_while_large_arrays_move", 0),
        ("killed_at_the_end_of_a_tree", 0),
    ],
)
def test_the_world_goes_on_and_the_exit_code_is_the_scripts(world: World, check: str, code: int) -> None:
    finished = world(7, SCRIPTS / "losing.py", check, str(code), mpiexec_args=ULFM, expect=code)
    assert_checked(finished)
    assert "the script's exit" in finished.stdout
    assert f"ended with exit code {code}" in history(world)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_without_controller_or_interface_it_ends(world: World, rank: int) -> None:
    with world.start(5, SCRIPTS / "until_killed.py", mpiexec_args=ULFM) as running:
        running.wait_for_line(r"^ready$", limit=30)
        running.rank(rank).send_signal(signal.SIGKILL)
        finished = running.wait(limit=15)
    assert finished.exit_code != 0
    assert f"rank {rank} (" in finished.stderr
    assert "died, and the world cannot do without it" in finished.stderr


def test_a_rank_that_does_not_stop_is_not_left_behind(world: World) -> None:
    finished = world(4, "--grace", "1", SCRIPTS / "leaving.py", "end", "loop_in_c", mpiexec_args=ULFM, limit=30, expect=None)
    assert finished.exit_code == 0, "the script's"
    assert "did not stop within 1 s of being told to" in finished.stderr
    assert "CalledOffError" not in finished.stderr


def test_an_engine_that_has_arrays_to_pass_on_takes_the_world_with_it_by_name(world: World) -> None:
    finished = world(7, SCRIPTS / "losing.py", "killed_inside_of_a_tree", "0", mpiexec_args=ULFM, limit=30, expect=None)
    assert finished.exit_code != 0
    assert "died" in finished.stderr
    assert "with large arrays to pass on" in finished.stderr
