"""Checks that a world goes on without engines that die: the first argument names the one check that this run makes."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import time

import numpy as np
from checks import raises, run_checks, wait_until

from mpikernel import Client, Reference
from mpikernel.errors import CompositeError, CrashLimitError, EngineDiedError, NoEnginesError

client = Client()
view = client.load_balanced_view()
pids = client[:].apply_sync(os.getpid)


def slow(number: int) -> int:
    time.sleep(0.02)
    return number


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave_in_c() -> None:
    ctypes.CDLL(None).exit(0)  # as Fortran's stop does


def die_of_3(number: int) -> int:
    if number == 3:
        die()
    return number


def twice(values: np.ndarray) -> np.ndarray:
    return 2 * values


def push_to_all_and_kill(engine: int) -> None:
    """Kill an engine that has not taken a push which comes down a tree: each passes it on to two others."""
    os.kill(pids[engine], signal.SIGSTOP)
    pushed = client[:].push({"large": np.ones(8 << 20)}, block=False)
    client.wait(pushed, 0.5)
    assert not pushed.done()
    os.kill(pids[engine], signal.SIGKILL)
    pushed.get(20)


def check_killed_at_the_end_of_a_tree() -> None:
    with raises(CompositeError, "engine 3 (rank 6 on "):
        push_to_all_and_kill(3)
    assert client[:].apply_sync(np.sum, Reference("large")) == [float(8 << 20)] * 3


def check_killed_inside_of_a_tree() -> None:
    push_to_all_and_kill(0)


def check_killed_from_outside() -> None:
    everybody = client[:]
    result = view.map_async(slow, range(150), chunksize=1)
    client.wait(result, 0.2)
    os.kill(pids[1], signal.SIGKILL)
    assert result.get() == list(range(150))
    wait_until(lambda: len(client) == 3)
    assert client.ids == [0, 2, 3]
    with raises(EngineDiedError, "engine 1 died", "there are engines 0, 2, 3"):
        client[1]
    with raises(EngineDiedError, "engine 1 (rank 4 on "):
        everybody.apply_async(abs, 1)
    assert client[:].apply_sync(abs, -2) == [2] * 3
    assert view.map_sync(abs, range(-1000, 0)) == list(range(1000, 0, -1))


def check_killed_by_direct_calls() -> None:
    with raises(CompositeError, "failed in 4 of 4 calls", "EngineDiedError", "it had apply die_of_3") as caught:
        client[:].apply_sync(die_of_3, 3)
    assert all(isinstance(error, EngineDiedError) for error in caught.error.exceptions)
    assert client.ids == []
    with raises(NoEnginesError, "no engine is left"):
        view.apply_async(abs, 1)


def check_killed_by_a_task() -> None:
    guilty = view.apply_async(die)
    others = [view.apply_async(slow, number) for number in range(40)]
    with raises(CrashLimitError, "die (task ", "its engine died 3 times"):
        guilty.get()
    assert [other.get() for other in others] == list(range(40))
    assert len(client) == 1


def check_killed_in_a_map() -> None:
    result = view.map_async(die_of_3, range(40), return_exceptions=True, chunksize=1)
    values = result.get()
    assert isinstance(values[3], CrashLimitError), values[3]
    assert values[:3] + values[4:] == [number for number in range(40) if number != 3]


def check_left_in_c() -> None:
    with raises(EngineDiedError, "engine 2 (rank 5 on ", "it had apply leave_in_c"):
        client[2].apply_sync(leave_in_c)
    assert client[:].apply_sync(abs, -1) == [1] * 3


def check_killed_while_large_arrays_move() -> None:
    values = np.arange(1_000_000.0)
    results = [view.apply_async(twice, values) for _ in range(20)]
    client.wait(results[0])
    os.kill(pids[2], signal.SIGKILL)
    assert all(np.array_equal(result.get(), 2 * values) for result in results)
    wait_until(lambda: len(client) == 3)
    assert all(result.wait_for_send(5) for result in results)
    client[:].push({"x": values}, block=True)
    assert [len(part) for part in client[:].pull("x", block=True)] == [1_000_000] * 3


atexit.register(print, "the script's exit", flush=True)
name = f"check_{sys.argv[1]}"
run_checks({name: globals()[name]})
sys.exit(int(sys.argv[2]))
