"""Large arguments that come again in tasks go to each rank once, in real worlds."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 3, 5])
def test_repeats(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "repeats.py", limit=120))


def test_everything_is_sent_each_time_if_that_is_switched_off(world: World) -> None:
    assert_checked(world(5, "--argument-cache=0", SCRIPTS / "repeats.py", limit=120))


def test_less_room_than_what_comes_again(world: World) -> None:
    script = """
        import numpy as np
        from mpikernel import Client

        view = Client().load_balanced_view()
        arrays = [np.full(1 << 17, float(number)) for number in range(5)]  # 1 MiB each, and room for two
        results = [view.apply_async(np.sum, arrays[number * number % 5]) for number in range(200)]
        assert [result.get() for result in results] == [arrays[number * number % 5].sum() for number in range(200)]
        print("all right")
    """
    assert "all right" in world.script(4, script, "--argument-cache=2500000", limit=60).stdout
