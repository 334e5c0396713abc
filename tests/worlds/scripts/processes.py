"""Processes and threads of the user's own, in the script and on engines. Runs in a world of any size."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

from checks import run_checks

from mpikernel import Client

client = Client()
one = client[0]
fork = multiprocessing.get_context("fork")


def square(x: int) -> int:
    return x * x


def use_pool() -> list[int]:
    """Leaving the with-statement ends the workers with SIGTERM."""
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, -2, -3])


def run_program() -> tuple[str, int]:
    import subprocess
    import sys

    said = subprocess.run([sys.executable, "-c", "print('from a program')"], capture_output=True, text=True, check=True).stdout
    sleeping = subprocess.Popen(["sleep", "100"])
    sleeping.terminate()
    return said, sleeping.wait()


def fork_and_leave() -> int:
    import os

    child = os.fork()
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fork_and_fall_through(how: str) -> int:
    """The child comes to the end of the call, as its parent does."""
    import os
    import sys

    child = os.fork()
    if child == 0:
        if how == "exit":
            sys.exit(3)
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def try_to_call(number: int) -> str:
    """In a child: there is no MPI in it."""
    try:
        return str(one.apply_sync(abs, number))
    except Exception as error:
        return type(error).__name__


def assert_world_goes_on() -> None:
    """The end of the world would come with the next messages; give it the time."""
    time.sleep(0.2)
    assert one.apply_sync(abs, -1) == 1


def check_a_pool_in_the_script() -> None:
    with fork.Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
    with ProcessPoolExecutor(1, mp_context=fork) as executor:
        assert executor.submit(square, 3).result() == 9
    assert_world_goes_on()


def check_a_pool_on_an_engine() -> None:
    result = one.apply_async(use_pool)
    assert result.get() == [1, 2, 3]
    assert (result.stdout, result.stderr) == ("", "")
    assert_world_goes_on()


def check_programs() -> None:
    assert run_program() == ("from a program\n", -signal.SIGTERM)
    assert one.apply_sync(run_program) == ("from a program\n", -signal.SIGTERM)
    assert_world_goes_on()


def check_forks() -> None:
    assert fork_and_leave() == 7
    assert one.apply_sync(fork_and_leave) == 7
    assert one.apply_sync(fork_and_fall_through, "exit") == 3
    assert one.apply_sync(fork_and_fall_through, "return") == 0
    with fork.Pool(1) as pool:
        assert pool.map(try_to_call, [-1]) == ["NoWorldError"]
    assert_world_goes_on()


def check_threads_on_an_engine() -> None:
    def in_threads() -> list[int]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(3) as executor:
            return list(executor.map(abs, [-1, -2, -3]))

    assert one.apply_sync(in_threads) == [1, 2, 3]


def check_asyncio_on_an_engine() -> None:
    def in_a_loop() -> int:
        import asyncio

        async def later() -> int:
            await asyncio.sleep(0.01)
            return 5

        return asyncio.run(later())

    assert one.apply_sync(in_a_loop) == 5
    assert_world_goes_on()


def check_an_own_handler_for_a_signal() -> None:
    """Such as one that writes a checkpoint; the world ends only at signals that nobody else takes."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        came = threading.Event()
        before = signal.signal(number, lambda *_, came=came: came.set())
        os.kill(os.getpid(), number)
        assert came.wait(5)
        assert_world_goes_on()
        signal.signal(number, before)


def check_children_are_in_no_world() -> None:
    """A child that imports mpikernel is in no world."""
    code = "from mpikernel import Client\ntry: Client()\nexcept Exception as error: print(type(error).__name__)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "NoWorldError\n"


run_checks(globals())
