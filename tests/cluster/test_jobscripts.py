"""The job scripts come down to the command that they promise, which a stand-in for `ipcluster` prints; test_run.py has the real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.environments import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder as it is after a user's set-up: examples, a Python environment, and an `ipcluster` that only prints its command."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    programs = tmp_path / "env" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    (programs / "mpiexec").write_text("#!/bin/sh\necho HYDRA\n")
    (programs / "ipcluster").write_text(
        f'#!/bin/sh\ntest "$1" = run && shift && exec {sys.executable} {ROOT}/bin/ipcluster run --dry-run "$@"\n'
    )
    for name in ("mpiexec", "ipcluster"):
        (programs / name).chmod(0o755)
    return tmp_path


def printed(script: str, cwd: Path, **environ: str) -> list[str]:
    path = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", ROOT / "jobscripts" / script], cwd=cwd, env=path | environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_slurm_runs_the_demo_on_as_many_ranks_as_there_are_tasks(clone: Path):
    command = printed("slurm.sh", clone, SLURM_NTASKS="16", MPIEXEC=str(clone / "env/bin/mpiexec"))
    assert command[1:] == ["-n", "16", sys.executable, "-m", "mpikernel", "examples/co2_growth.py"]


def test_pbs_runs_the_demo_where_it_was_submitted(clone: Path, tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("home")
    (home / "nodes").write_text("node1\n" * 8 + "node2\n" * 8)
    given = {"PBS_O_WORKDIR": str(clone), "PBS_NODEFILE": str(home / "nodes"), "MPIEXEC": str(clone / "env/bin/mpiexec")}
    assert printed("pbs.sh", home, **given)[1:] == ["-n", "16", sys.executable, "-m", "mpikernel", "examples/co2_growth.py"]
