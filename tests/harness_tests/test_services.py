"""What is missing is told: as a skip at home, as a failure in CI."""

from __future__ import annotations

import pytest

from tests.harness.environments import find_environment
from tests.harness.services import missing


def test_at_home_it_skips_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Slurm here"):
        missing("no Slurm here")


def test_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Slurm here"):
        missing("no Slurm here")


def test_an_mpi_that_is_not_set_up_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("MPIKERNEL_TEST_ENVS", "mpich=/nowhere/bin")
    with pytest.raises(pytest.fail.Exception, match="no /nowhere/bin/python: `make environments` sets up mpich"):
        find_environment("mpich")
