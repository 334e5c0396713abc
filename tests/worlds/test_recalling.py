"""Tasks do not stay with an engine that is busy while another one is idle."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [3, 6])
def test_recalling(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "recalling.py"))
