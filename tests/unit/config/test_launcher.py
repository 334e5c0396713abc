"""What environments say of the launcher: as seen under Open MPI 5.0 and MPICH 5.0, and as Slurm documents them."""

from __future__ import annotations

import pytest

from mpikernel.config.launcher import launcher_name, launcher_rank, launcher_size

OPEN_MPI = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "PMIX_RANK": "2", "OMPI_UNIVERSE_SIZE": "8"}
MPICH = {"PMI_SIZE": "3", "PMI_RANK": "0", "PMI_FD": "11", "MPI_LOCALNRANKS": "2", "MPI_LOCALRANKID": "0"}
MPICH_WITHOUT_PMI = {"MPI_LOCALNRANKS": "2", "MPI_LOCALRANKID": "1"}
SRUN = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "16", "SLURM_PROCID": "9"}
SLURM_BATCH = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "16", "SLURM_PROCID": "0"}
PBS = {"PBS_NP": "16", "PBS_NODEFILE": "/var/spool/nodes", "PBS_TASKNUM": "1"}


@pytest.mark.parametrize(
    ("environ", "size", "rank", "name"),
    [
        (OPEN_MPI, (4, "OMPI_COMM_WORLD_SIZE"), 2, "Open MPI"),
        (MPICH, (3, "PMI_SIZE"), 0, "MPICH or a relative (PMI)"),
        (MPICH_WITHOUT_PMI, (2, "MPI_LOCALNRANKS"), 1, "MPICH or a relative (PMI)"),
        (SRUN, (16, "SLURM_NTASKS"), 9, "Slurm's srun"),
        ({**SLURM_BATCH, **OPEN_MPI}, (4, "OMPI_COMM_WORLD_SIZE"), 2, "Open MPI"),
        ({**SRUN, **MPICH}, (3, "PMI_SIZE"), 0, "MPICH or a relative (PMI)"),
        ({**MPICH, **OPEN_MPI}, (4, "OMPI_COMM_WORLD_SIZE"), 2, "Open MPI"),
    ],
)
def test_launchers_are_known_by_what_they_set(environ: dict[str, str], size: tuple[int, str], rank: int, name: str):
    assert (launcher_size(environ), launcher_rank(environ), launcher_name(environ)) == (size, rank, name)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        PBS,
        SLURM_BATCH,
        {**SRUN, "SLURM_STEP_ID": str(0xFFFFFFFB)},  # the batch script's own step
        {**SRUN, "SLURM_STEP_ID": str(0xFFFFFFFA)},  # an interactive shell
        {**SRUN, "SLURM_STEP_ID": "batch"},
        {"OMPI_COMM_WORLD_SIZE": "four", "OMPI_COMM_WORLD_RANK": "0"},
        {"PMI_SIZE": "4"},
    ],
    ids=str,
)
def test_everything_else_is_no_launcher(environ: dict[str, str]):
    assert (launcher_size(environ), launcher_rank(environ), launcher_name(environ)) == (None, None, None)
