"""Time limits by signal.setitimer around calls, as scripts have them. Runs in a world of any size."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from checks import raises, run_checks, wait_until

from mpikernel import Client, CompositeError
from mpikernel.errors import SerializeError

ROUNDS = 20
LONG = 0.35
LARGE = 25 << 20  # 200 MiB of doubles

client = Client()
everybody = client[:]
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


class TooLong(Exception):
    """The script's own."""


def ring(signum: int, frame: Any) -> None:
    assert signum == signal.SIGALRM
    assert frame is not None
    raise TooLong


BEFORE = signal.signal(signal.SIGALRM, ring)


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """End what is done in here after some time, wherever it is."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def cut_short(action: Callable[[], object], seconds: float) -> bool:
    try:
        with limit(seconds):
            action()
    except TooLong:
        return True
    except SerializeError as error:  # it came in the middle of rebuilding a value
        return isinstance(error.__cause__, TooLong)
    except CompositeError as error:  # in a world of one the call itself is cut short
        return not APART and "TooLong" in str(error)
    return False


def limits() -> list[float]:
    return [0.05 + 0.25 * number / ROUNDS for number in range(ROUNDS)]


def check_the_script_sees_its_own_handlers() -> None:
    assert BEFORE is signal.SIG_DFL
    assert signal.getsignal(signal.SIGALRM) is ring
    own = signal.getsignal(signal.SIGTERM)
    assert signal.signal(signal.SIGTERM, ring) == own
    assert signal.signal(signal.SIGTERM, own) is ring
    assert signal.getsignal(signal.SIGTERM) == own
    assert signal.signal(signal.SIGUSR2, signal.SIG_IGN) is signal.SIG_DFL
    assert signal.signal(signal.SIGUSR2, signal.SIG_DFL) is signal.SIG_IGN
    with raises(TypeError):
        signal.signal(signal.SIGUSR2, "no handler")  # type: ignore[arg-type]  # that is what is checked


def check_the_function_that_sets_them_can_be_sent() -> None:
    from signal import getsignal

    assert client[0].apply_sync(lambda: getsignal(signal.SIGUSR2)) == signal.SIG_DFL


def check_limits_around_get() -> None:
    for seconds in limits():
        if not APART:  # there the call has run when its result is there to be asked
            assert cut_short(lambda: everybody.apply_sync(time.sleep, LONG), seconds)
            continue
        result = everybody.apply_async(time.sleep, LONG)
        assert cut_short(result.get, seconds)
        assert result.get() == [None] * len(everybody)


def check_limits_that_come_at_any_moment_of_a_short_call() -> None:
    for number in range(200):
        result = everybody.apply_async(abs, -number)
        was_cut = cut_short(result.get, 1e-4 + 1e-5 * number)
        if APART or not was_cut:
            assert result.get() == [number] * len(everybody)


def check_limits_around_push_and_gather() -> None:
    large = np.ones(LARGE)
    for number, seconds in enumerate(limits()):
        cut_short(lambda: everybody.push({"large": large}, block=True), seconds)
        assert client.wait(timeout=60)
        if number % 5 == 0:
            everybody.scatter("part", large, block=True)
        cut_short(lambda: everybody.gather("part", block=True), seconds)
        assert client.wait(timeout=60)
    assert everybody.gather("part", block=True).sum() == LARGE
    everybody.clear(block=True)


def check_limits_in_callbacks_and_the_work_around_them() -> None:
    if not APART:
        return  # there it is done before it can be given callbacks
    for number in range(ROUNDS):
        told: list[object] = []
        result = everybody.apply_async(time.sleep, 0.02)
        result.add_done_callback(told.append)
        result.add_done_callback(lambda _: signal.raise_signal(signal.SIGALRM))
        result.add_done_callback(told.append)
        with raises(TooLong):
            result.get()
        assert result.get() == [None] * len(everybody)
        wait_until(lambda told=told: len(told) == 2)
        assert told == [result, result], number


def check_a_handler_may_use_the_client() -> None:
    seen: list[Any] = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(client[0].apply_sync(abs, -5) if APART else 5))
    try:
        with limit(0.1):
            everybody.apply_sync(time.sleep, 0.3)
    finally:
        signal.signal(signal.SIGALRM, ring)
    assert seen == [5]


def check_a_limit_in_a_call_is_its_error() -> None:
    def slow() -> None:
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        time.sleep(20)

    for _ in range(3):
        with raises(TooLong):
            client[0].apply_sync(slow)
    assert client[0].apply_sync(abs, -2) == 2


def check_an_alarm_left_behind_on_an_engine_is_told_in_its_log() -> None:
    def leave_alarm(flag: str) -> None:
        def late(*_: object) -> None:
            Path(flag).touch()
            raise TimeoutError("left behind")

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    if not APART:
        return  # the script's own: it would be raised in the script
    for engine in client.ids:
        client[engine].apply_sync(leave_alarm, f"alarm-{engine}")
    wait_until(lambda: all(Path(f"alarm-{engine}").exists() for engine in client.ids))
    assert everybody.apply_sync(abs, -3) == [3] * len(everybody)
    log = Path(".mpikernel/log/engine-0.err").read_text()
    assert log.count("SIGALRM came while no call ran here, and the handler that was left for it raised TimeoutError: left behind") == 1


def check_a_forked_process_has_its_handlers_to_itself() -> None:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(5))
        signal.raise_signal(signal.SIGALRM)
        os._exit(6)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5


run_checks(globals())
