"""The lock of a loop, and signals that come while the main thread has it. These tests run in the main thread, as signal handlers do."""

from __future__ import annotations

import threading

import pytest

from mpikernel.wire.hold import Hold


def test_without_the_lock_a_signal_comes_through_at_once() -> None:
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        Hold().interrupt(KeyboardInterrupt("SIGINT"))


def test_with_the_lock_it_is_put_off_until_the_lock_is_given_back() -> None:
    hold, done = Hold(), []

    def turn() -> None:
        with hold:
            hold.interrupt(KeyboardInterrupt("SIGTERM"))
            done.append("the rest of the turn")

    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        turn()
    assert done == ["the rest of the turn"]
    assert not hold.lock.locked()
    with hold:
        done.append("and it comes only once")


def test_a_signal_that_comes_while_the_lock_is_asked_for_is_put_off_too() -> None:
    hold = Hold()

    class Interrupting:
        """A lock at which a signal comes at the worst moments."""

        def acquire(self, blocking: bool) -> bool:
            hold.interrupt(KeyboardInterrupt("before"))
            return False

    hold.lock = Interrupting()  # type: ignore[assignment]  # stands in for a lock
    with pytest.raises(KeyboardInterrupt, match="before"):
        hold.take(blocking=False)
    with pytest.raises(KeyboardInterrupt, match="the shield is down again"):
        hold.interrupt(KeyboardInterrupt("the shield is down again"))


def test_only_one_thread_has_it_and_asking_does_not_wait() -> None:
    hold, taken = Hold(), []
    with hold:
        thread = threading.Thread(target=lambda: taken.append(hold.take(blocking=False)))
        thread.start()
        thread.join()
    assert taken == [False]
    assert hold.take(blocking=False)
    hold.drop()


def test_while_another_thread_has_it_signals_come_through() -> None:
    hold, holds, let_go = Hold(), threading.Event(), threading.Event()

    def keep() -> None:
        with hold:
            holds.set()
            let_go.wait(10)

    thread = threading.Thread(target=keep)
    thread.start()
    assert holds.wait(10)
    with pytest.raises(KeyboardInterrupt):
        hold.interrupt(KeyboardInterrupt())
    let_go.set()
    thread.join()


def test_a_users_handler_is_called_when_the_lock_is_given_back_and_what_it_raises_comes_out_there() -> None:
    hold, done = Hold(), []

    def handler() -> None:
        assert not hold.taken
        raise TimeoutError("the user's")

    def turn() -> None:
        with hold:
            hold.visit(14, handler)
            done.append("the rest of the turn")

    with pytest.raises(TimeoutError, match="the user's"):
        turn()
    assert done == ["the rest of the turn"]
    with hold:
        done.append("and it is called only once")


def test_a_users_handler_is_not_called_in_our_code_but_where_that_lets_it_in() -> None:
    hold, called = Hold(), []
    outer = hold.shut()
    inner = hold.shut()
    with hold:
        hold.visit(14, lambda: called.append("first"))
        hold.visit(14, lambda: called.append("signals that wait are one, as they are anywhere"))
    hold.reopen(inner)
    assert called == []
    hold.let_in()
    assert len(called) == 1
    hold.visit(10, lambda: called.append("again"))
    assert len(called) == 1
    hold.reopen(outer)
    assert len(called) == 2
    hold.visit(10, lambda: called.append("at once"))
    assert called[2:] == ["at once"]


def test_a_handler_may_be_interrupted_by_another_and_use_what_is_locked() -> None:
    hold, called = Hold(), []

    def handler() -> None:
        hold.visit(10, lambda: called.append("inner"))
        with hold:
            called.append("locked")

    before = hold.shut()
    hold.visit(14, handler)
    hold.reopen(before)
    assert called == ["inner", "locked"]


def test_only_the_main_thread_calls_users_handlers() -> None:
    hold, called = Hold(), []
    before = hold.shut()
    hold.visit(14, lambda: called.append(threading.current_thread()))

    def other() -> None:
        hold.reopen(hold.shut())
        with hold:
            pass

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert called == []
    hold.reopen(before)
    assert called == [threading.main_thread()]
