"""The world of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpikernel.client.here import close_port, open_port
from mpikernel.testing.loopback import LoopbackWorld


@pytest.fixture
def world() -> Iterator[LoopbackWorld]:
    """Two engines and a script with a client, where nothing happens unless a test has it happen."""
    world = LoopbackWorld(engines=2)
    open_port(world.port)
    yield world
    close_port()
