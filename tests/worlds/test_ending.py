"""However a world ends, it ends soon, with the right exit code, and leaves nothing behind (the harness looks for what is left)."""

from __future__ import annotations

import signal

import pytest

from tests.harness.report import Finished
from tests.harness.running import Running
from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, SIZES

LEAVING = SCRIPTS / "leaving.py"
#: The package promises that all ranks are gone in 5 seconds; mpiexec needs a moment of its own, on a machine with fewer cores than ranks.
SOON = 7.0
#: Ranks that do not stop by themselves get their whole grace, which need not be the usual 3 seconds in every test.
IMPATIENT = ("--grace", "1")


def finish_soon(running: Running) -> Finished:
    """Wait until the script is about to leave, and from then on at most as long as is promised."""
    __tracebackhide__ = True
    running.wait_for_line(r"^ready$", limit=30)
    return running.wait(SOON)


def leave(world: World, n: int, *words: str, options: tuple[str, ...] = ()) -> Finished:
    __tracebackhide__ = True
    with world.start(n, *options, LEAVING, *words) as running:
        return finish_soon(running)


def leave_by_signal(world: World, n: int, number: signal.Signals, *words: str, options: tuple[str, ...] = ()) -> Finished:
    """Send mpiexec a signal once everybody is at work."""
    __tracebackhide__ = True
    with world.start(n, *options, LEAVING, *words) as running:
        running.wait_for_line(r"^ready$", limit=30)
        running.send_signal(number)
        return running.wait(SOON)


@pytest.mark.parametrize("n", SIZES)
def test_script_exception(world: World, n: int) -> None:
    finished = leave(world, n, "exception")
    assert finished.exit_code == 1
    assert finished.stderr.count("ValueError: the script's own failure") == 1
    assert 'leaving.py", line' in finished.stderr
    assert "mpikernel/" not in finished.stderr.partition("Traceback")[2]


@pytest.mark.parametrize("n", SIZES)
def test_script_ends_with_work_left(world: World, n: int) -> None:
    finished = leave(world, n, "end")
    assert finished.exit_code == 0
    assert "Traceback" not in finished.stderr
    assert "error" not in finished.stderr
    if n > 1:
        assert (world.cwd / "cleaned-up-0").exists()  # engines too get to leave their with and finally


@pytest.mark.parametrize("n", [1, 2, 4])
def test_sys_exit(world: World, n: int) -> None:
    finished = leave(world, n, "exit")
    assert finished.exit_code == 7
    assert "Traceback" not in finished.stderr


def test_sys_exit_with_a_text(world: World) -> None:
    finished = leave(world, 4, "text")
    assert finished.exit_code == 1
    assert finished.stderr.count("the script's last words") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("n", SIZES)
def test_signal_to_mpiexec(world: World, n: int, number: signal.Signals) -> None:
    finished = leave_by_signal(world, n, number, "wait")
    if world.mpi.name == "mpich":  # its mpiexec passes signals on; Open MPI's ends the job itself
        assert finished.exit_code == 128 + number
        assert f"the script was interrupted at {LEAVING}" in finished.stderr
        assert (world.cwd / "script-cleaned-up").exists()
    else:
        assert finished.exit_code != 0
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("how", ["compute", "compute-in-c", "never"])
@pytest.mark.parametrize("n", [2, 4])
def test_signal_while_the_script_does_not_listen(world: World, n: int, how: str) -> None:
    finished = leave_by_signal(world, n, signal.SIGTERM, how, options=IMPATIENT)
    assert finished.exit_code == 143 if world.mpi.name == "mpich" else finished.exit_code != 0


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_signal_to_one_rank(world: World, rank: int) -> None:
    """As an administrator sends it, or a batch system: whichever rank gets it, the world ends in order."""
    with world.start(4, LEAVING, "wait") as running:
        running.wait_for_line(r"^ready$", limit=30)
        running.rank(rank).send_signal(signal.SIGTERM)
        finished = running.wait(SOON)
    assert finished.exit_code == 143
    assert "SIGTERM" in finished.stderr
    assert (world.cwd / "script-cleaned-up").exists()
    assert (world.cwd / "cleaned-up-0").exists()


@pytest.mark.parametrize("work", ["loop_in_c", "never_give_up", "wait_in_mpi"])
def test_engines_that_do_not_stop_are_named_and_the_exit_code_is_the_scripts(world: World, work: str) -> None:
    finished = leave(world, 5, "exit", work, options=IMPATIENT)
    assert finished.exit_code == 7
    assert "rank 3 (engine on " in finished.stderr
    assert "rank 4 (engine on " in finished.stderr
    assert "did not stop within 1 s" in finished.stderr


@pytest.mark.parametrize("mpi", ["openmpi"], indirect=True)  # MPICH leaves its shared memory behind whenever a world is aborted
def test_engines_that_do_not_stop_after_a_script_that_ended_well(world: World) -> None:
    finished = leave(world, 4, "end", "never_give_up")
    assert finished.exit_code == 0
    assert "rank 3 (engine on " in finished.stderr
    assert "did not stop within 3 s" in finished.stderr


def test_threads_that_user_code_left_on_an_engine(world: World) -> None:
    finished = leave(world, 4, "exit", "start_thread")
    assert finished.exit_code == 7
    assert "error" not in finished.stderr
