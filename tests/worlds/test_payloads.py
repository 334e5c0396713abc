"""Payloads of every kind in real worlds: as arguments, results and pushes, with references in them, and made before."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 6])
def test_payloads(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "payloads.py"))
