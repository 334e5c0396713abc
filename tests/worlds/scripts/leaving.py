"""Gives engines much to do and leaves them at it, in the way that the first argument says. Says `ready` when they are at it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from checks import wait_until

from mpikernel import Client


def at_work(name: str) -> None:
    Path(f"at-work-{name}").touch()


def sleep(name: str) -> None:
    at_work(name)
    try:
        time.sleep(3600)
    finally:
        Path(f"cleaned-up-{name}").touch()


def loop_in_python(name: str) -> None:
    at_work(name)
    number = 0
    while True:
        number += 1


def loop_in_c(name: str) -> None:
    """Never gives Python, nor the rank's own loop, a chance to run."""
    at_work(name)
    sum(range(10**12))


def never_give_up(name: str) -> None:
    at_work(name)
    while True:
        with suppress(BaseException):
            time.sleep(3600)


def wait_in_mpi(name: str) -> None:
    from mpikernel import engine

    at_work(name)
    engine.comm.recv(source=engine.id)  # which nobody sends


def start_thread(name: str) -> None:
    import threading

    threading.Thread(target=time.sleep, args=(3600,)).start()
    at_work(name)


def make_large() -> np.ndarray:
    return np.ones(3_000_000)


WORK = {work.__name__: work for work in (sleep, loop_in_python, loop_in_c, never_give_up, wait_in_mpi, start_thread)}


def leave_work(names: list[str]) -> None:
    """Each engine gets one of these kinds of work, and a queue behind it that it never comes to."""
    client = Client()
    if client[0].apply_sync(os.getpid) == os.getpid():
        return  # a world of one: a call that is not over keeps the script from going on
    for engine in client.ids:
        work = WORK[names[engine % len(names)]]
        client[engine].apply_async(work, str(engine))
    wait_until(lambda: all(Path(f"at-work-{engine}").exists() for engine in client.ids))
    client[:].push({"large": np.ones(3_000_000)})
    client[:].apply_async(make_large)
    client.load_balanced_view().map_async(sleep, [f"task-{number}" for number in range(20)])


def leave(how: str) -> None:
    if how == "exception":
        raise ValueError("the script's own failure")
    if how == "exit":
        sys.exit(7)
    if how == "text":
        sys.exit("the script's last words")
    if how == "wait":
        Client()[-1].apply_sync(sleep, "waited-for")
    if how == "compute":
        loop_in_python("script")
    if how == "compute-in-c":
        loop_in_c("script")
    if how == "never":
        never_give_up("script")


how, *names = sys.argv[1:]
leave_work(names or ["sleep", "loop_in_python", "sleep"])
try:
    print("ready", flush=True)
    leave(how)
finally:
    Path("script-cleaned-up").touch()
