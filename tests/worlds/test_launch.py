"""Launches that cannot work: each is told once, in words that say what would work, with exit code 2 and within seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.environments import find_environment
from tests.harness.report import Finished
from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS

USAGE = 2
#: Seconds that a refusal may take at most; starting the ranks is most of it.
SOON = 15.0


def assert_refused(finished: Finished, *words: str) -> None:
    """It was said once what is wrong, and nothing ran."""
    __tracebackhide__ = True
    told = [line for line in finished.stderr.splitlines() if line.startswith("mpikernel: error: ")]
    if len(told) != 1 or not all(word in told[0] for word in words) or "Traceback" in finished.stderr or finished.stdout:
        pytest.fail(f"expected one error with {words}\n{finished.report()}")


WRONG_WORDS = [
    ((), ("nothing to run", "SCRIPT")),
    (("nowhere.py",), ("there is no script nowhere.py", "working directory")),
    (("--no-such-option", "x.py"), ("--no-such-option",)),
    (("--interfaces", "2", "-c", "1"), ("2 interface ranks", "needs 4 ranks", "has 3", "mpiexec -n 4")),
    (("-c", "print(1)", "\udcff"), ("UTF-8",)),
]


@pytest.mark.parametrize(
    ("argv", "words"), WRONG_WORDS, ids=[" ".join(argv).encode("ascii", "replace").decode() or "-" for argv, _ in WRONG_WORDS]
)
def test_wrong_command_lines(world: World, argv: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_refused(world(3, *argv, expect=USAGE, limit=SOON), *words)
    assert not (world.cwd / ".mpikernel").exists()


def test_interfaces_that_a_world_of_one_cannot_have(world: World) -> None:
    assert_refused(world(1, "--interfaces", "1", "-c", "1", expect=USAGE, limit=SOON), "1 interface rank", "mpiexec -n 3")


def test_wrong_settings(world: World) -> None:
    assert_refused(world(3, "-c", "1", env={"MPIKERNEL_GRACE": "long"}, expect=USAGE, limit=SOON), "MPIKERNEL_GRACE", "'long'", "number")
    (world.cwd / ".mpikernel").mkdir()
    (world.cwd / ".mpikernel" / "mpikernel.conf").write_text("streem = true\n")
    assert_refused(world(3, "-c", "1", expect=USAGE, limit=SOON), "mpikernel.conf", "streem", "stream")


@pytest.mark.parametrize("level", ["single", "serialized"])
def test_a_thread_level_that_is_too_low(world: World, level: str) -> None:
    finished = world(3, "-c", "1", env={"MPI4PY_RC_THREAD_LEVEL": level}, expect=USAGE, limit=SOON)
    assert_refused(finished, f"grants MPI_THREAD_{level.upper()}", "needs MPI_THREAD_MULTIPLE", "MPI4PY_RC_THREAD_LEVEL")


def test_a_cluster_directory_that_is_a_file(world: World) -> None:
    file = world.cwd / "file"
    file.touch()
    for path in (file, file / "below"):
        assert_refused(world(3, "--cluster-dir", path, "-c", "1", expect=USAGE, limit=SOON), f"{file} is a file", "--cluster-dir")


def test_a_ledger_that_another_run_has_open(world: World) -> None:
    with world.start(2, SCRIPTS / "until_killed.py") as running:
        running.wait_for_line(r"^ready$", limit=30)
        finished = world(2, "-c", "1", expect=USAGE, limit=SOON)
        assert_refused(finished, "another run has the ledger", f"process {running.rank(0).pid}", "another cluster directory")
        assert world(2, "--cluster-dir", "elsewhere", "-c", "print(5)").stdout == "5\n"


def test_a_ledger_that_is_none(world: World) -> None:
    (world.cwd / ".mpikernel" / "ledger").mkdir(parents=True)
    (world.cwd / ".mpikernel" / "ledger" / "data.mdb").write_bytes(b"not a ledger" * 10_000)
    assert_refused(world(3, "-c", "1", expect=USAGE, limit=SOON), "ledger", "damaged", "another cluster directory")


def test_a_world_of_one_that_the_launcher_meant_to_be_larger(world: World) -> None:
    """As where `mpiexec` is another MPI's: each process believes to be alone. The first one says so."""
    size, rank = {"mpich": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), "openmpi": ("PMI_SIZE", "PMI_RANK")}[world.mpi.name]
    command = [world.mpi.python, "-m", "mpikernel", "-c", "1"]
    finished = world.command(command, env={size: "4", rank: "0"}, expect=USAGE, limit=SOON)
    assert_refused(finished, "two MPIs are mixed up", f"{size}=4", "a world of 1", str(world.mpi.python))
    silent = world.command(command, env={size: "4", rank: "2"}, expect=USAGE, limit=SOON)
    assert "mpikernel: error" not in silent.stderr


def test_the_mpiexec_of_another_mpi(world: World) -> None:
    """In one direction we are asked; in the other MPICH itself gives up while it starts, with words and an exit code of its own."""
    other = find_environment("mpich" if world.mpi.name == "openmpi" else "openmpi")
    command = [other.mpiexec, "-n", "3", world.mpi.python, "-m", "mpikernel", "-c", "print('ran')"]
    finished = world.command(command, env=other.environ, expect=None, limit=SOON)
    assert finished.exit_code != 0
    assert "ran" not in finished.stdout
    if world.mpi.name == "openmpi":
        assert finished.exit_code == USAGE
        assert_refused(finished, "two MPIs are mixed up", "PMI_SIZE=3", "a world of 1", str(world.mpi.python), "ipcluster run")


def test_ranks_that_differ_in_version(world: World, tmp_path: Path) -> None:
    """As where nodes of a cluster have different installations."""
    start = """
import os, sys
import mpikernel
if os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK")) == "1":
    mpikernel.__version__ = "9.9"
from mpikernel.boot.rank import main
main(["-c", "1"])
"""
    program = tmp_path / "start.py"
    program.write_text(start)
    finished = world.command([world.mpi.mpiexec, "-n", "3", world.mpi.python, program], expect=USAGE, limit=SOON)
    assert_refused(finished, "all ranks of a world need the same version", "mpikernel 9.9", "on rank 1", "on ranks 0, 2")
