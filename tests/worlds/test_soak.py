"""A million tasks, with failures, cancelling and dependencies: each of them is accounted for."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)  # a soak of ours, not of MPI: once is enough
def test_a_million_tasks(world: World) -> None:
    assert "all accounted for" in world(6, SCRIPTS / "soak.py", "1000000", limit=300).stdout
