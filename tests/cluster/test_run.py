"""`ipcluster run` as a user types it, in worlds of mpikernel."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import pytest

from tests.harness.environments import FLAGS, ROOT
from tests.harness.running import Running
from tests.harness.world import World

WAITING = """
    import signal
    from mpikernel import Client

    client = Client()
    client[:].apply_sync(abs, -1)
    try:
        print("the script waits", flush=True)
        while True:
            signal.pause()
    finally:
        print("the script was interrupted", flush=True)
"""


def command(world: World, *words: str | Path) -> list[str | Path]:
    return [world.mpi.python, ROOT / "bin" / "ipcluster", "run", *words]


def start(world: World, ranks: int, source: str) -> Running:
    program = world.cwd / "program.py"
    program.write_text(textwrap.dedent(source))
    return world.start_command(command(world, "-n", str(ranks), program))


def test_program_gets_its_arguments_and_its_exit_code_passes(world: World):
    source = "import sys; from mpikernel import Client; print(sys.argv[1:], len(Client())); sys.exit(3)"
    finished = world.command(command(world, "-n", "4", "--cluster-dir", "run", "-c", source, "-n", "9", "--stream"), expect=3)
    assert "['-n', '9', '--stream'] 1" in finished.stdout
    assert (world.cwd / "run" / "ledger").is_dir()


def test_root_and_more_ranks_than_cores_need_nothing_from_the_user(world: World):
    told = {name: value for name, value in world.mpi.full_environ(world.cwd).items() if name not in FLAGS[world.mpi.name]}
    clean = ["env", "-i", *(f"{name}={value}" for name, value in told.items())]
    finished = world.command([*clean, *command(world, "-n", "7", "-c", "from mpikernel import Client; print(Client().ids)")])
    assert "[0, 1, 2, 3]" in finished.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ranks", [1, 4])
def test_world_ends_in_order_within_five_seconds(world: World, ranks: int, number: signal.Signals):
    running = start(world, ranks, WAITING)
    running.wait_for_line("the script waits", 30)
    running.send_signal(number)
    finished = running.wait(5)
    assert finished.exit_code == 128 + number
    assert "the script was interrupted" in finished.stdout
    assert finished.shared_memory == ()


def test_world_does_not_outlive_the_command(world: World):
    running = start(world, 4, WAITING)
    running.wait_for_line("the script waits", 30)
    running.send_signal(signal.SIGKILL)
    assert "the script was interrupted" in running.wait(5).stdout


@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)
def test_what_is_wrong_is_told_once_and_nothing_is_started(world: World):
    finished = world.command(command(world, "-n", "4", "nowhere.py"), expect=2)
    assert finished.stderr == f"ipcluster run: there is no script nowhere.py (working directory: {world.cwd})\n"
    assert list(world.cwd.iterdir()) == []
