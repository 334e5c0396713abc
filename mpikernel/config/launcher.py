"""What the environment of a process says of the launcher that started it: how many processes, which one this is, and whose launcher.

Pure functions of the environment, for the moment when MPI tells another story than mpiexec did. Seen under Open MPI 5.0 (OMPI_*),
MPICH 5.0 (PMI_SIZE, PMI_RANK, MPI_LOCAL*) and in Slurm's documentation of srun. PBS starts no ranks, so it says nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct


class Speaker(Struct, frozen=True):
    """One launcher's way to tell."""

    mpi: str
    size: str
    rank: str


#: In order of trust: under Open MPI's mpiexec, PMI_* can be left from an outer launcher; MPI_LOCALNRANKS counts one host only.
SPEAKERS = (
    Speaker("Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    Speaker("MPICH or a relative (PMI)", "PMI_SIZE", "PMI_RANK"),
    Speaker("MPICH or a relative (PMI)", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"),
)
SRUN = Speaker("Slurm's srun", "SLURM_NTASKS", "SLURM_PROCID")

#: What Open MPI's mpiexec sets for processes that are to outlive each other.
FAULT_TOLERANT = "OMPI_MCA_mpi_ft_enable"

#: Steps of Slurm in which one shell runs, not ranks: pending, extern, batch and interactive have the highest numbers.
FIRST_SPECIAL_STEP = 0xFFFFFFF0


def launcher_size(environ: Mapping[str, str]) -> tuple[int, str] | None:
    """How many processes the launcher says that it started, and the variable that says so; None without a launcher."""
    for speaker in _speakers(environ):
        return int(environ[speaker.size]), speaker.size
    return None


def launcher_rank(environ: Mapping[str, str]) -> int | None:
    """Which of them this process is; None without a launcher."""
    for speaker in _speakers(environ):
        return int(environ[speaker.rank])
    return None


def launcher_name(environ: Mapping[str, str]) -> str | None:
    """Whose launcher it is, for messages; None without a launcher."""
    for speaker in _speakers(environ):
        return speaker.mpi
    return None


def ranks_may_die(environ: Mapping[str, str]) -> bool:
    """Whether the launcher leaves the others alone when a process dies: Open MPI's, with ``--with-ft ulfm``."""
    return environ.get(FAULT_TOLERANT) == "1"


def _speakers(environ: Mapping[str, str]) -> Iterator[Speaker]:
    """Those that speak in this environment."""
    for speaker in (*SPEAKERS, *((SRUN,) if _in_job_step(environ) else ())):
        if environ.get(speaker.size, "").isdecimal() and environ.get(speaker.rank, "").isdecimal():
            yield speaker


def _in_job_step(environ: Mapping[str, str]) -> bool:
    step = environ.get("SLURM_STEP_ID", "")
    return step.isdecimal() and int(step) < FIRST_SPECIAL_STEP
