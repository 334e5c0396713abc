"""The client, as users of IPython's parallel tools know it: views, results, output. Each script holds many checks, for any world."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 3, 6])
def test_direct_views(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "direct_view.py"))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_load_balanced_views(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "balanced_view.py"))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_recoveries(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "recovery.py"))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_results(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "results.py"))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_many_tasks(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "many_tasks.py"))
