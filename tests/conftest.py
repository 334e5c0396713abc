"""The fixtures that every test may use; what they stand on is in tests/harness."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.harness.environments import NAMES, MPIEnvironment, find_environment
from tests.harness.services import in_ci
from tests.harness.world import World

# No deadline: a shared machine of two cores says nothing about how long an example takes. In CI the same examples every time.
settings.register_profile("home", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("home"), derandomize=True)
settings.load_profile("ci" if in_ci() else "home")

# Who starts the tests in the background of a script has their processes ignore signals that some of them are about.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests are shared out among processes (make test), those of one MPI are one process's."""
    for item in items:
        mpi = item.callspec.params.get("mpi") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
        if mpi is not None:
            item.add_marker(pytest.mark.xdist_group(mpi))


@pytest.fixture(scope="session", params=NAMES)
def mpi(request: pytest.FixtureRequest) -> MPIEnvironment:
    """Each MPI in turn; `@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)` picks one."""
    return find_environment(request.param)


@pytest.fixture
def world(mpi: MPIEnvironment, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Starts real worlds under `mpi` in the test's own folder; see tests/harness/world.py for what it can do."""
    world = World(mpi, tmp_path, lambda: tmp_path_factory.mktemp("run"))
    yield world
    world.close()
