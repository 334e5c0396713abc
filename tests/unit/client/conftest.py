"""The world of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpikernel.client.here import close_port, open_port
from mpikernel.testing.loopback import LoopbackWorld


@pytest.fixture
def engine_count() -> int:
    """How many engines there are in it. A module whose tests want others has a fixture of this name."""
    return 2


@pytest.fixture
def world(engine_count: int) -> Iterator[LoopbackWorld]:
    """Engines and a script with a client, where nothing happens unless a test has it happen."""
    world = LoopbackWorld(engines=engine_count)
    open_port(world.port)
    yield world
    close_port()


@pytest.fixture
def working(world: LoopbackWorld) -> Iterator[LoopbackWorld]:
    """The same, but whoever waits drives everybody, and engines run what they have."""
    with world.working():
        yield world
