"""The attendant: the thread that serves a rank while its main thread is in user code, and only then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mpikernel.wire import doorbell, waiting
from mpikernel.wire.doorbell import Doorbell
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.loopback import loopback_world
from mpikernel.wire.messages import Clear, Keys
from mpikernel.wire.transport import Arrival

LIMIT = 10.0  # seconds; who waits so long hangs


class Served:
    """Who reacted to what came, in order; `came` is set with each."""

    def __init__(self) -> None:
        self.by: list[str] = []
        self.came = threading.Event()


def react(state: Served, out: Outbox, arrival: Arrival, now: float) -> None:
    state.by.append(threading.current_thread().name)
    state.came.set()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop(loopback_world(1)[0])
    yield loop
    loop.close()


def test_it_serves_while_the_main_thread_is_elsewhere(loop: Loop) -> None:
    served = Served()
    loop.host(served, {Keys: react})
    loop.start_attendant()
    for _ in range(3):
        loop.transport.post(0, [Parcel(Keys(1))])
        assert served.came.wait(LIMIT)
        served.came.clear()
    assert served.by == ["mpikernel-attendant"] * 3


def test_who_waits_takes_part(loop: Loop) -> None:
    served = Served()

    def post_again(state: Served, out: Outbox, arrival: Arrival, now: float) -> None:
        react(state, out, arrival, now)
        out.send(0, Keys(1))

    loop.host(served, {Keys: post_again})
    loop.start_attendant()
    loop.out.send(0, Keys(1))
    assert loop.wait(lambda: len(served.by) >= 2000, LIMIT)
    assert "MainThread" in served.by


def test_it_comes_back_after_a_long_wait_of_the_main_thread(loop: Loop) -> None:
    served = Served()
    loop.host(served, {Keys: react})
    loop.start_attendant()
    loop.wait(lambda: loop._parked, LIMIT)  # so idle that the attendant need not look
    assert not loop._parked
    loop.transport.post(0, [Parcel(Keys(1))])
    assert served.came.wait(LIMIT)
    assert served.by == ["mpikernel-attendant"]


def test_a_thread_that_submits_while_another_waits_is_served(loop: Loop) -> None:
    served = Served()
    loop.host(served, {Keys: react})
    loop.start_attendant()
    waiter = threading.Thread(target=lambda: loop.wait(served.came.is_set, LIMIT))
    waiter.start()
    with loop.hold:
        loop.out.send(0, Keys(1))
    loop.nudge()
    assert served.came.wait(LIMIT)
    waiter.join()


@pytest.mark.parametrize("way", ["remind", "nudge"])
def test_who_asks_for_a_turn_has_it_taken_although_there_is_just_one_and_another_thread_sleeps_at_the_bell(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(doorbell, "LONGEST", 10 * LIMIT)
    monkeypatch.setattr(waiting, "DUE", 1e6)  # who sleeps there looks by itself no more
    bell = loop.bell = Doorbell()
    asked, taken = threading.Event(), threading.Event()
    loop.host(None, {}, lambda state, out, now: taken.set() if asked.is_set() else None)
    waiter = threading.Thread(target=lambda: loop.wait(taken.is_set, 10 * LIMIT))
    waiter.start()
    until(lambda: loop._parked and bool(bell._sleepers))
    loop.start_attendant()
    with loop.hold:  # a turn
        asked.set()
        getattr(loop, way)()
        until(lambda: loop._pausing)  # the attendant has come, and seen that it is not needed
    assert taken.wait(LIMIT)
    bell.ring_here()
    waiter.join(LIMIT)


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < deadline:
        time.sleep(1e-3)
    assert condition()


def test_what_breaks_it_is_told_and_reaches_who_waits_next(loop: Loop) -> None:
    told = threading.Event()
    errors: list[BaseException] = []

    def broken(error: BaseException) -> None:
        errors.append(error)
        told.set()

    def breaking(state: None, out: Outbox, arrival: Arrival, now: float) -> None:
        raise ZeroDivisionError

    loop.broken = broken
    loop.host(None, {Keys: breaking})
    loop.start_attendant()
    loop.transport.post(0, [Parcel(Keys(1))])
    assert told.wait(LIMIT)
    assert isinstance(errors[0], ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        loop.wait(lambda: False, LIMIT)


def test_a_callback_that_wants_to_exit_is_told_and_does_not_end_it(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: told.append(kind))
    served = Served()

    def ask_to_exit(state: Served, out: Outbox, arrival: Arrival, now: float) -> None:
        loop.afterwards(sys.exit)

    loop.host(served, {Keys: ask_to_exit, Clear: react})
    loop.start_attendant()
    loop.transport.post(0, [Parcel(Keys(1)), Parcel(Clear(2))])
    assert served.came.wait(LIMIT)
    served.came.clear()
    loop.transport.post(0, [Parcel(Clear(3))])
    assert served.came.wait(LIMIT)
    assert told == [SystemExit]


def test_while_it_is_in_a_callback_who_submits_sees_to_that_himself(loop: Loop) -> None:
    served, inside, out = Served(), threading.Event(), threading.Event()
    loop.host(served, {Keys: react})
    loop.start_attendant()

    def callback() -> None:
        inside.set()
        out.wait(LIMIT)

    with loop.hold:
        loop.afterwards(callback)
        loop.out.send(0, Keys(1))
    assert inside.wait(LIMIT)
    served.came.clear()
    with loop.hold:
        loop.out.send(0, Keys(2))
    loop.remind()
    loop.remind()  # the first sends it, the next finds it
    assert served.came.is_set()
    out.set()


def test_when_a_callback_within_a_callback_is_over_it_is_in_the_outer_one_still(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpikernel.wire.loop.sys._current_frames", dict)  # no threads but ours, wherever tests run
    inner, looked, over = threading.Event(), threading.Event(), threading.Event()

    def outer() -> None:
        loop.afterwards(inner.set)
        loop.wait(inner.is_set, LIMIT)
        looked.set()
        over.wait(LIMIT)

    def begin(state: Served, out: Outbox, arrival: Arrival, now: float) -> None:
        loop.afterwards(outer)

    loop.host(Served(), {Keys: begin})
    loop.start_attendant()
    loop.transport.post(0, [Parcel(Keys(1))])
    assert looked.wait(LIMIT)
    assert inner.is_set()
    assert not loop.alone
    over.set()
    until(lambda: loop.alone)


def test_closing_ends_it(loop: Loop) -> None:
    before = threading.active_count()
    loop.start_attendant()
    assert threading.active_count() == before + 1
    loop.close()
    assert threading.active_count() == before
    loop.close()
