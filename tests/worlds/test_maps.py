"""Maps over load-balanced views whose chunks follow the time that items take."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 5])
def test_maps(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "maps.py"))
