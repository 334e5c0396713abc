"""What runs is interrupted, the engine works on, and what it was interrupted for is told."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [2, 6])
def test_what_runs_is_interrupted(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "interrupting.py"))


def test_what_runs_in_the_scripts_own_process_is_interrupted(world: World) -> None:
    assert_checked(world(1, SCRIPTS / "interrupting_alone.py"))
