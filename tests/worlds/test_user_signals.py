"""Signal handlers of the user's that raise: the usual way to give a call a time limit. They end neither the world nor a call."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 4])
def test_handlers_of_the_users_that_raise(world: World, n: int) -> None:
    finished = world(n, SCRIPTS / "user_signals.py")
    assert_checked(finished)
