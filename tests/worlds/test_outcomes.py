"""What becomes of tasks when something is out of the ordinary, as docs/tasks.rst lists it."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 6])
def test_every_outcome_is_as_it_is_told(world: World, n: int) -> None:
    finished = world(n, SCRIPTS / "outcomes.py")
    assert_checked(finished)
    assert finished.stderr.count('KeyError: "a callback\'s own mistake"') == 3
    assert "2 results failed and nobody asked for it: refuse_odd: ValueError: 1 is odd" in finished.stderr


LEAVING = """
import time
from mpikernel import Client

view = Client().load_balanced_view()
results = view.map_async(time.sleep, [0.0, 60.0, 60.0], chunksize=1)
next(iter(results))
"""


@pytest.mark.parametrize("n", [2, 6])
def test_what_is_under_way_when_the_script_ends_is_told(world: World, n: int) -> None:
    script = world.cwd / "leaving.py"
    script.write_text(LEAVING)
    finished = world(n, script)
    assert "the script ended while 2 calls were under way, now dropped" in finished.stderr
    assert finished.seconds < 30
