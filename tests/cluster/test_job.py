"""A job of plain MPI ranks under both MPIs: exit codes pass, signals reach the ranks, and nothing is left behind, whoever is killed.

That nothing is left, neither process nor shared memory, is asserted by the harness whenever a run is waited for.
"""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import psutil
import pytest

from tests.cluster.driver import driver
from tests.harness.running import Running
from tests.harness.world import World

RANKS = 3
PATIENCE = 1.0  # seconds that these worlds get to end in order

#: Ranks that end in order when they are asked to, as those of mpikernel do.
ORDERLY = """
    import signal, sys
    from mpi4py import MPI

    def stop(number, frame):
        print("asked", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGUSR1, stop)
    MPI.COMM_WORLD.Barrier()
    if MPI.COMM_WORLD.rank == 0:
        print("ready", flush=True)
    while True:
        signal.pause()
"""

#: Ranks that nothing but a kill ends, whatever they are asked.
STUBBORN = """
    import signal
    from mpi4py import MPI

    signal.signal(signal.SIGUSR1, lambda number, frame: print("asked", flush=True))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    MPI.COMM_WORLD.Barrier()
    if MPI.COMM_WORLD.rank == 0:
        print("ready", flush=True)
    while True:
        signal.pause()
"""


def command(world: World, source: str, patience: float = PATIENCE) -> list[str | Path]:
    program = world.cwd / "program.py"
    program.write_text(textwrap.dedent(source))
    return [world.mpi.python, "-c", driver(patience), world.mpi.mpiexec, "-n", str(RANKS), world.mpi.python, program]


def start(world: World, source: str) -> Running:
    """A job whose ranks are all there."""
    running = world.start_command(command(world, source))
    running.wait_for_line("ready", 30)
    return running


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_is_that_of_the_ranks(world: World, code: int):
    world.command(command(world, f"import sys; from mpi4py import MPI; sys.exit({code})"), expect=code)


def test_output_and_input_pass(world: World):
    source = """
        import sys
        from mpi4py import MPI

        if MPI.COMM_WORLD.rank == 0:
            print("read", sys.stdin.readline())
            print("to stderr", file=sys.stderr)
    """
    finished = world.command(command(world, source), stdin="a line\n")
    assert "read a line" in finished.stdout
    assert "to stderr" in finished.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_ranks_are_asked_to_end_and_the_exit_code_names_the_signal(world: World, number: signal.Signals):
    running = start(world, ORDERLY)
    running.send_signal(number)
    finished = running.wait(5)
    assert finished.exit_code == 128 + number
    assert finished.stdout.count("asked") == RANKS


def test_ranks_that_do_not_end_are_killed(world: World):
    running = start(world, STUBBORN)
    running.send_signal(signal.SIGTERM)
    finished = running.wait(10)
    assert finished.exit_code == 143
    assert finished.shared_memory == ()


def test_second_interrupt_does_not_wait(world: World):
    running = world.start_command(command(world, STUBBORN, patience=50))
    running.wait_for_line("ready", 30)
    running.send_signal(signal.SIGINT)
    running.wait_for_line("asked", 5)
    running.send_signal(signal.SIGINT)
    assert running.wait(20).exit_code == 130


def test_warning_of_a_batch_system_is_passed_on_and_the_ranks_decide(world: World):
    running = start(world, ORDERLY)
    running.send_signal(signal.SIGUSR1)
    finished = running.wait(5)
    assert finished.exit_code == 0
    assert finished.stdout.count("asked") == RANKS


@pytest.mark.parametrize("source", [ORDERLY, STUBBORN], ids=["orderly", "stubborn"])
def test_ranks_do_not_outlive_the_command_that_started_them(world: World, source: str):
    running = start(world, source)
    running.send_signal(signal.SIGKILL)
    finished = running.wait(10)
    assert finished.exit_code == 137
    assert finished.shared_memory == ()
    assert finished.stdout.count("asked") == RANKS


def test_ranks_do_not_outlive_a_killed_mpiexec(world: World):
    running = start(world, STUBBORN)
    launcher = next(child for child in psutil.Process(running.pid).children() if "MPIKERNEL_JOB" in child.environ())
    launcher.kill()
    assert running.wait(10).exit_code == 137


def test_what_ignores_hangups_goes_on_doing_so(world: World):
    running = world.start_command(["nohup", *command(world, ORDERLY)])
    running.wait_for_line("ready", 30)
    running.send_signal(signal.SIGHUP)
    running.send_signal(signal.SIGTERM)
    assert running.wait(5).exit_code == 143


def test_a_launcher_that_cannot_be_started_is_named(world: World):
    finished = world.command([world.mpi.python, "-c", driver(PATIENCE), world.cwd / "mpiexec"], expect=1)
    assert f"LaunchError: {world.cwd / 'mpiexec'} cannot be started: No such file or directory" in finished.stderr
