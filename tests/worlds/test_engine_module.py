"""What user code finds on the engine that it runs on, and what it cannot find anywhere else."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 3, 7])
def test_engine_module(world: World, n: int) -> None:
    finished = world(n, SCRIPTS / "engine_module.py")
    assert_checked(finished)
    assert "Invalid error code" not in finished.stderr


@pytest.mark.parametrize("asked", ["option", "variable"])
def test_comm_world_can_be_left_as_it_is(world: World, asked: str) -> None:
    source = """
        from mpikernel import Client
        def look():
            from mpi4py import MPI
            from mpikernel import engine
            return MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size, engine.comm.rank, engine.comm.size
        print(Client()[:].apply_sync(look))
    """
    if asked == "option":
        finished = world.start_script(5, source).wait()
        assert finished.stdout == "[(0, 2, 0, 2), (1, 2, 1, 2)]\n"
        finished = world(5, "--comm-world", "world", world.cwd / "script.py")
    else:
        finished = world.script(5, source, env={"MPIKERNEL_COMM_WORLD": "world"})
    assert finished.stdout == "[(3, 5, 0, 2), (4, 5, 1, 2)]\n"


def test_outside_of_any_world_the_two_ways_to_get_one_are_told(world: World) -> None:
    (world.cwd / "analysis.py").write_text("from mpikernel import Client\nClient()\n")
    finished = world.command([world.mpi.python, "analysis.py"], expect=1)
    assert "NoWorldError" in finished.stderr
    assert "mpiexec -n 8 python -m mpikernel analysis.py" in finished.stderr
    assert "ipcluster run -n 8 analysis.py" in finished.stderr
    look = "from mpikernel import engine\ntry: engine.id\nexcept Exception as error: print(type(error).__name__, error)"
    finished = world.command([world.mpi.python, "-c", look])
    assert finished.stdout.startswith("NoWorldError mpikernel.engine.id")
