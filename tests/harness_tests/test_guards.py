"""The guards of the harness bite: on worlds that hang, that leave processes, that leave shared memory, that end otherwise than expected."""

from __future__ import annotations

import signal
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from tests.harness.environments import MPIEnvironment
from tests.harness.running import Running
from tests.harness.world import World

HANGS = """
    import threading
    from pathlib import Path
    from mpi4py import MPI
    rank = MPI.COMM_WORLD.rank
    Path("log").mkdir(exist_ok=True)
    Path(f"log/rank-{rank}.log").write_text(f"log of rank {rank}")
    MPI.COMM_WORLD.Barrier()
    print(f"rank {rank} hangs", flush=True)
    def wait_for_ever():
        threading.Event().wait()
    wait_for_ever()
"""

FAILED = pytest.fail.Exception


def start_plain(world: World, n: int, source: str) -> Running:
    program = world.cwd / "program.py"
    program.write_text(textwrap.dedent(source))
    return world.start_command([world.mpi.mpiexec, "-n", str(n), world.mpi.python, program])


def test_a_plain_world_runs_to_its_end(world: World) -> None:
    finished = world.plain(3, "from mpi4py import MPI\nprint(MPI.COMM_WORLD.allreduce(1))")
    assert finished.stdout.count("3") == 3  # not by lines: under MPICH two ranks may write into one
    assert (finished.exit_code, finished.shared_memory) == (0, ())


def test_a_world_that_hangs_is_killed_at_its_limit_and_shown(world: World) -> None:
    with start_plain(world, 2, HANGS) as running:
        running.wait_for_line("rank 0 hangs", limit=30)
        running.wait_for_line("rank 1 hangs", limit=30)
        with pytest.raises(FAILED) as failure:
            running.wait(limit=0.1)
    report = str(failure.value)
    assert "was still running after 0.1 s and was killed" in report
    assert "rank 1 hangs" in report
    assert "log of rank 0" in report
    assert "log of rank 1" in report
    assert "wait_for_ever" in report  # the stack of a rank


def test_a_world_in_the_background_is_seen_signalled_and_awaited(world: World) -> None:
    with start_plain(world, 2, "import time; print('ready', flush=True); time.sleep(60)") as running:
        running.wait_for_line("ready", limit=30)  # not "^ready$": under MPICH two ranks may write into one line
        assert running.rank(1).is_running()
        running.send_signal(signal.SIGTERM)
        assert running.wait(limit=10).exit_code != 0


def test_a_background_world_ends_with_its_block(world: World) -> None:
    with world.start_command([sys.executable, "-c", "import time; time.sleep(60)"]) as running:
        pid = running.pid
    assert not psutil.pid_exists(pid)


def test_a_line_that_never_comes_fails_with_what_was_printed(world: World) -> None:
    with pytest.raises(FAILED, match=r"(?s)printed no line like 'ready'.*something else"):
        world.start_command([sys.executable, "-c", "print('something else')"]).wait_for_line("ready", limit=5)


def test_a_process_left_behind_is_named_killed_and_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.harness.running.LINGER", 0.2)
    leaves = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)"
    with pytest.raises(FAILED, match=r"left processes behind(?s:.)*time\.sleep\(60\)"):
        world.command([sys.executable, "-c", leaves])


def test_a_file_left_in_shared_memory_fails_and_is_removed(world: World) -> None:
    leaves = """
        import mmap, time, uuid
        with open(f"/dev/shm/mpikernel-test-{uuid.uuid4().hex}", "w+b") as file:
            file.truncate(4096)
            memory = mmap.mmap(file.fileno(), 4096)
            print(file.name, flush=True)
            time.sleep(1)  # long enough to be seen
    """
    with pytest.raises(FAILED, match="left in /dev/shm: mpikernel-test-") as failure:
        world.plain(1, leaves)
    named = next(line for line in str(failure.value).splitlines() if line.startswith("/dev/shm/mpikernel-test-"))
    assert not Path(named).exists()


def test_another_exit_code_than_expected_fails_with_the_output(world: World) -> None:
    exits = [sys.executable, "-c", "import sys; sys.exit('the reason')"]
    assert world.command(exits, expect=1).stderr == "the reason\n"
    assert world.command(exits, expect=None).exit_code == 1
    with pytest.raises(FAILED, match=r"expected exit code 0(?s:.)*the reason"):
        world.command(exits)


def test_stdin_environment_and_folder_reach_the_command(world: World, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    program = "import os, sys; print(os.getcwd(), os.environ['WORD'], sys.stdin.read())"
    finished = world.command([sys.executable, "-c", program], stdin="said", env={"WORD": "given"}, cwd=tmp_path / "elsewhere")
    assert finished.stdout == f"{tmp_path / 'elsewhere'} given said\n"


def test_python_and_mpiexec_of_the_environment_come_first(world: World, mpi: MPIEnvironment) -> None:
    finished = world.command(["sh", "-c", "command -v python; command -v mpiexec"])
    assert finished.stdout.split() == [str(mpi.python), str(mpi.mpiexec)]
