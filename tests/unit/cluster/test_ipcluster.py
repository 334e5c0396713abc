"""What `ipcluster run` makes of its words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mpikernel import __version__
from mpikernel.cli.ipcluster import FLAGS, Order, main, read_order
from mpikernel.errors import LaunchError, UsageError


@pytest.fixture
def mpiexec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A launcher that says it is MPICH's, named by MPIEXEC, in a working directory with a script."""
    path = tmp_path / "mpiexec"
    path.write_text("#!/bin/sh\necho HYDRA\n")
    path.chmod(0o755)
    (tmp_path / "sweep.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPIEXEC", str(path))
    return str(path)


def order(*words: str, **environ: str) -> Order:
    found = read_order(words, {**os.environ, **environ})
    assert isinstance(found, Order)
    return found


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_options_of_the_world_go_on_and_those_of_the_program_stay(mpiexec: str):
    command = order("--grace", "1", "-n", "4", "--stream", "sweep.py", "-n", "9", "--dry-run").command
    assert command == (mpiexec, "-n", "4", sys.executable, "-m", "mpikernel", "--grace=1", "--stream", "sweep.py", "-n", "9", "--dry-run")


@pytest.mark.parametrize("program", [("-m", "package", "-x"), ("-c", "print(1)", "-n", "3")])
def test_modules_and_code_run_too(mpiexec: str, program: tuple[str, ...]):
    assert order("-n2", *program).command == (mpiexec, "-n", "2", sys.executable, "-m", "mpikernel", *program)


def test_the_batch_system_says_how_many_unless_the_user_does(mpiexec: str):
    assert order("sweep.py", SLURM_NTASKS="12").command[1:3] == ("-n", "12")
    assert order("-n", "3", "sweep.py", SLURM_NTASKS="12").command[1:3] == ("-n", "3")


def test_a_stopped_world_gets_its_grace_and_a_second(mpiexec: str):
    assert order("sweep.py").patience == 4.0
    assert order("--grace", "10", "sweep.py").patience == 11.0


@pytest.mark.parametrize("text", ["0", "-1", "four", ""])
def test_a_number_of_ranks_that_is_none_is_refused(mpiexec: str, text: str):
    with pytest.raises(UsageError, match=r"-n cannot be .*; allowed is a whole number of ranks, from 1"):
        order("-n", text, "sweep.py")


def test_a_named_launcher_must_be_there(mpiexec: str):
    with pytest.raises(LaunchError, match="nowhere cannot be started"):
        order("--mpiexec", "nowhere", "sweep.py")


def test_dry_run_prints_a_command_that_a_shell_understands(mpiexec: str):
    result = typed("run", "-n", "2", "--dry-run", "-c", "print('a b')")
    assert result.exit_code == 0
    assert result.stdout == f"{mpiexec} -n 2 {sys.executable} -m mpikernel -c 'print('\"'\"'a b'\"'\"')'\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing to run; usage: ipcluster run [-n N] [options] SCRIPT"),
        (("nowhere.py",), "there is no script nowhere.py (working directory: "),
        (("--log-level", "loud", "sweep.py"), "--log-level: log_level cannot be 'loud'"),
        (("--dryrun", "sweep.py"), "there is no option --dryrun; did you mean --dry-run?"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_exit_code_2(mpiexec: str, words: tuple[str, ...], says: str):
    result = typed("run", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"ipcluster run: {says}")
    assert result.stderr.count("\n") == 1


def test_help_lists_every_option():
    result = typed("run", "--help")
    assert result.exit_code == 0
    assert all(f"  {flag.name}" in result.stdout for flag in FLAGS)


def test_both_commands_are_listed():
    result = typed("--help")
    assert "run " in result.stdout
    assert "history " in result.stdout
    assert typed("--version").stdout == f"mpikernel {__version__}\n"
