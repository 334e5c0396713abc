"""Large arrays on their way to engines and back: what lands where, and what may come between."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_gathers(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "gathering.py"))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_pushes_to_shared_memory(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "sharing.py"))
