"""The engines as others know them: an executor, a pool, and results that coroutines await. Each script holds many checks, for any world."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 6])
def test_executor(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "executor.py"))


@pytest.mark.parametrize("n", [1, 6])
def test_pool(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "pool.py"))


@pytest.mark.parametrize("n", [1, 6])
def test_coroutines(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "coroutines.py"))
