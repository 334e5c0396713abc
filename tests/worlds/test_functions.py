"""Functions and classes of the script, on engines: what their names mean there, and what comes back."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 3, 6])
def test_functions(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "functions.py"))
