"""A script runs in a world as it would under python: its arguments, its exit code, its threads and exit handlers, its children."""

from __future__ import annotations

import textwrap

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked

SHOWS_ITSELF = """
    import os, sys
    x: int = 1
    print(sys.argv)
    print(__name__, __file__, __doc__, __builtins__, __annotations__)
    print(sys.path[0], os.getcwd())
    import beside
    print(beside.__file__, sys.modules["__main__"].__dict__ is globals(), sys.flags.interactive)
"""


def write(world: World, name: str, source: str) -> None:
    path = world.cwd / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(textwrap.dedent(source))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_script_sees_what_python_shows_it(world: World, n: int) -> None:
    write(world, "folder/shows.py", SHOWS_ITSELF)
    write(world, "folder/beside.py", "")
    argv = ["folder/shows.py", "one", "--two", "-n", "3", "--", ""]
    expected = world.command([world.mpi.python, *argv]).stdout
    assert world(n, *argv).stdout == expected
    assert world(n, "--log-level", "error", world.cwd / "folder" / "shows.py").stdout.splitlines()[3] == expected.splitlines()[3]


def test_modules_and_code_are_run_as_python_runs_them(world: World) -> None:
    write(world, "package/__init__.py", "")
    write(
        world, "package/__main__.py", "import sys; from mpikernel import Client; print(sys.argv[1:], __name__, __package__, Client().ids)"
    )
    write(world, "module.py", "import sys\nprint(sys.argv, __name__, sys.path[0], __spec__.name)")
    code = "import sys; print(sys.argv, __name__, sys.path[0])"
    assert world(4, "-m", "package", "a", "-b").stdout == "['a', '-b'] __main__ package [0]\n"
    assert world(2, "-m", "module", "-x").stdout == world.command([world.mpi.python, "-m", "module", "-x"]).stdout
    finished = world(4, "-c", code, "-x", "y")
    assert finished.stdout == f"['-c', '-x', 'y'] __main__ {world.cwd}\n"
    assert world(2, "-c", "from mpikernel import Client; f = lambda: 5; print(Client()[:].apply_sync(lambda: f()))").stdout == "[5]\n"


@pytest.mark.parametrize("n", [1, 4])
def test_help_and_version_are_told_once(world: World, n: int) -> None:
    told = world(n, "--help").stdout
    assert told.count("python -m mpikernel [options] SCRIPT") == 1
    assert "--cluster-dir" in told
    version = world(n, "--version").stdout
    assert version.count("mpikernel") == 1
    assert not (world.cwd / ".mpikernel").exists()


def test_a_world_announces_itself_in_one_line(world: World) -> None:
    finished = world(5, "-c", "")
    assert finished.stderr.count("\n") == 1
    for word in ("a world of 5", "controller 0", "script 1", "task 2", "engines 3-4", "MPI_THREAD_MULTIPLE"):
        assert word in finished.stderr
    assert ("Open MPI" if world.mpi.name == "openmpi" else "MPICH") in finished.stderr
    assert world(2, "--log-level", "warning", "-c", "").stderr == ""
    assert "script 1, task 0, engines 2-3" in world(4, "--interfaces", "1", "-c", "").stderr


EXITS = [("import sys; sys.exit()", 0), ("raise SystemExit(3)", 3), ("import sys; sys.exit(256 + 4)", 4)]


@pytest.mark.parametrize(("code", "exit_code"), EXITS)
def test_exit_codes(world: World, code: str, exit_code: int) -> None:
    assert world(4, "-c", code, expect=exit_code).exit_code == exit_code


def test_errors_of_the_script_look_as_under_python(world: World) -> None:
    write(world, "failing.py", "def inner():\n    raise ValueError('ünusual')\n\ndef outer():\n    inner()\n\nouter()\n")
    write(world, "wrong.py", "x = 1\ndef f(:\n    pass\n")
    for script in ("failing.py", "wrong.py"):
        expected = world.command([world.mpi.python, script], expect=1).stderr
        assert expected in world(4, script, expect=1).stderr


def test_threads_and_exit_handlers_finish(world: World) -> None:
    source = """
        import atexit, sys, threading, time
        from concurrent.futures import ThreadPoolExecutor
        from mpikernel import Client
        atexit.register(lambda: (time.sleep(0.3), print("exit handler", flush=True)))
        view = Client()[:]
        executor = ThreadPoolExecutor(2)  # never shut down
        print(executor.submit(abs, -3).result())
        def work():
            time.sleep(0.3)
            print("thread", view.apply_sync(abs, -4)[0], flush=True)
        threading.Thread(target=work).start()
        if len(sys.argv) > 1:
            sys.exit(int(sys.argv[1]))
    """
    assert world.script(4, source, "5", expect=5).stdout.split("\n")[:3] == ["3", "thread 4", "exit handler"]
    assert world.script(1, source).stdout.split("\n")[:3] == ["3", "thread 4", "exit handler"]


def test_a_thread_that_waits_does_not_keep_a_failed_script(world: World) -> None:
    source = """
        import threading, time
        from mpikernel import Client
        view = Client()[:]
        threading.Thread(target=view.apply_sync, args=(time.sleep, 3600)).start()
        time.sleep(0.3)
        raise ValueError("the script failed")
    """
    finished = world.script(4, source, expect=1, limit=15)
    assert finished.stderr.count("ValueError: the script failed") == 1
    assert "ClosedError: the world is ending (the script ended)" in finished.stderr


@pytest.mark.parametrize("n", [1, 4])
def test_streams_that_the_script_closed_or_replaced(world: World, n: int) -> None:
    for code in ("sys.stdout.close()", "sys.stdout = None", "sys.stdout = open('out', 'w'); print('x')"):
        ending = "from mpikernel import Client; Client()[0].execute('print(1)', silent=False, block=True)"
        world(n, "-c", f"import sys; {code}; {ending}")
    assert (world.cwd / "out").read_text() == "x\n[stdout:0] 1\n"


def test_a_hook_for_exceptions_is_used(world: World) -> None:
    code = "import sys; sys.excepthook = lambda kind, error, trace: print('hooked', kind.__name__); 1 / 0"
    assert world(4, "-c", code, expect=1).stdout == "hooked ZeroDivisionError\n"


@pytest.mark.parametrize("n", [1, 4])
def test_processes_and_threads_of_the_users_own(world: World, n: int) -> None:
    finished = world(n, SCRIPTS / "processes.py")
    assert_checked(finished)
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("n", [1, 4])
def test_a_child_that_the_script_forks_ends_where_the_script_would(world: World, n: int) -> None:
    source = """
        import os, sys
        from mpikernel import Client
        view = Client()[:]
        for how in ("exit", "fail", "end"):
            child = os.fork()
            if child == 0:
                break
            print(how, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), view.apply_sync(abs, -1), flush=True)
        if child == 0 and how == "exit":
            sys.exit(3)
        if child == 0 and how == "fail":
            sys.stderr.close()
            raise ValueError
    """
    assert world.script(n, source).stdout == "exit 3 [1]\nfail 1 [1]\nend 0 [1]\n"


@pytest.mark.parametrize("n", [2, 4])
def test_standard_input(world: World, n: int) -> None:
    """mpiexec gives it to rank 0; a script on another rank is told so."""
    finished = world(n, "-c", "print(input())", stdin="a line\n", expect=0 if n == 2 else 1)
    assert finished.stdout == ("a line\n" if n == 2 else "")
    assert ("mpiexec gives it to rank 0 alone" in finished.stderr) == (n == 4)
