"""What goes wrong in user code is told, and the world goes on; nothing of it may hang at any size."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, SIZES, assert_checked


@pytest.mark.parametrize("n", SIZES)
def test_failures_are_told_and_the_world_goes_on(world: World, n: int) -> None:
    finished = world(n, SCRIPTS / "failures.py")
    assert_checked(finished)
    assert "Traceback" not in finished.stderr  # what was caught is told to nobody else
