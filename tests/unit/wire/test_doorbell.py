"""How ranks of a host wake each other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mpikernel.wire import doorbell
from mpikernel.wire.doorbell import Address, Doorbell


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[Doorbell, Doorbell]:
    """Two ranks, 0 and 1; who is not rung sleeps for longer than any test may take."""
    monkeypatch.setattr(doorbell, "LONGEST", 60.0)
    first, second = Doorbell(), Doorbell()
    assert first.meet({1: second.address})
    assert second.meet({0: first.address})
    return first, second


def sleeps(bell: Doorbell, seconds: float) -> bool:
    """Whether it slept for all of that time."""
    begun = time.monotonic()
    bell.sleep(seconds)
    return time.monotonic() - begun >= 0.9 * seconds


def test_a_ring_wakes_a_sleeper(pair: tuple[Doorbell, Doorbell]) -> None:
    first, second = pair
    second.arm()
    thread = threading.Timer(0.05, first.ring, (1,))
    thread.start()
    assert not sleeps(second, 30)
    thread.join()


def test_a_ring_between_the_last_look_and_the_sleep_is_not_lost(pair: tuple[Doorbell, Doorbell]) -> None:
    first, second = pair
    second.arm()
    first.ring(1)
    assert not sleeps(second, 30)


def test_who_does_not_sleep_is_not_rung(pair: tuple[Doorbell, Doorbell]) -> None:
    first, second = pair
    first.ring(1)
    assert sleeps(second, 0.05)
    second.arm()
    first.ring(1)
    first.ring(1)  # it is awake by now
    assert not sleeps(second, 30)
    second.arm()
    assert sleeps(second, 0.05), "an old ring woke it"


def test_strangers_are_not_rung(pair: tuple[Doorbell, Doorbell]) -> None:
    pair[0].ring(7)


def test_threads_of_one_process_wake_each_other(pair: tuple[Doorbell, Doorbell]) -> None:
    bell, _ = pair
    woken = threading.Thread(target=sleeps, args=(bell, 30))
    bell.arm()
    woken.start()
    while woken.is_alive():  # until it sleeps there is nobody to wake
        bell.ring_here()
        woken.join(0.01)


def test_a_thread_of_this_process_may_ring_between_the_last_look_and_the_sleep(pair: tuple[Doorbell, Doorbell]) -> None:
    bell, _ = pair
    bell.arm()
    bell.ring_here()
    assert not sleeps(bell, 30)
    bell.ring_here()  # nobody sleeps, nor is about to
    bell.arm()
    assert sleeps(bell, 0.05), "an old ring woke it"


def test_a_ring_wakes_every_thread_that_sleeps(pair: tuple[Doorbell, Doorbell]) -> None:
    first, second = pair
    second.arm()
    with ThreadPoolExecutor(3) as threads:
        asleep = [threads.submit(sleeps, second, 30) for _ in range(3)]
        first.ring(1)
        assert not any(each.result() for each in asleep)


def test_it_works_between_processes_and_nothing_of_it_is_left(pair: tuple[Doorbell, Doorbell]) -> None:
    bell, _ = pair
    program = (
        "import sys; from mpikernel.wire.doorbell import *; own = Doorbell(); own.meet({0: Address(*map(int, sys.argv[1:]))}); own.ring(0)"
    )
    bell.arm()
    subprocess.run([sys.executable, "-c", program, *map(str, bell.address)], check=True, timeout=30, cwd=Path(__file__).parents[3])
    assert not sleeps(bell, 30)


def test_where_a_bell_cannot_be_had_nobody_sleeps_at_one() -> None:
    bell = Doorbell()
    assert not bell.meet({1: Address(os.getpid(), 10**6, 10**6)})
    bell.ring(1)
