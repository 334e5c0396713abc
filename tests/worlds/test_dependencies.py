"""What tasks depend on, through real worlds: the script holds many checks, for any world."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 6])
def test_dependencies(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "dependencies.py"))
