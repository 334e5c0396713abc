"""Turns, waiting and what breaks a loop, over a world in one process. The attendant has tests of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from mpikernel.errors import OurProtocolError, PeerProtocolError
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.loopback import LoopbackTransport, loopback_world
from mpikernel.wire.messages import Clear, Goodbye, Keys, Leave, Stop, Withdrawn
from mpikernel.wire.transport import Arrival

Log = list[Any]


def note(log: Log, out: Outbox, arrival: Arrival, now: float) -> None:
    log.append(arrival.message)


def two_loops() -> tuple[Loop, Loop]:
    first, second = loopback_world(2)
    return Loop(first), Loop(second)


def test_a_turn_polls_reacts_ticks_and_sends_in_this_order() -> None:
    here, there = two_loops()
    log: Log = []

    def answer(state: Log, out: Outbox, arrival: Arrival, now: float) -> None:
        state.append(arrival.message)
        out.send(arrival.sender, Clear(1), [b"frame"])

    here.host(log, {Keys: answer}, lambda state, out, now: state.append("tick"))
    there.out.send(0, Keys(1))
    there.out.send(0, Keys(2))
    assert there.turn()
    assert here.turn()
    assert log == [Keys(1), Keys(2), "tick"]
    assert there.transport.poll() == [Arrival(1 - 1, Clear(1), [b"frame"])] * 2
    assert not here.turn(), "nothing happened"


def test_what_waits_to_leave_does_so_before_it_is_looked_what_has_come() -> None:
    here, there = two_loops()
    gone: Log = []
    poll = here.transport.poll
    here.transport.poll = lambda: gone.extend(there.transport.poll()) or poll()  # type: ignore[method-assign,func-returns-value]
    here.out.send(1, Keys(1))
    assert here.turn()
    assert [arrival.message for arrival in gone] == [Keys(1)]


def test_mail_for_one_rank_leaves_in_one_call() -> None:
    class Counting(LoopbackTransport):
        def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
            posted.append((rank, [parcel.message for parcel in parcels]))

    posted: list[Any] = []
    loop = Loop(Counting(0, 2, {}, 100))
    for rank, number in ((1, 1), (0, 2), (1, 3)):
        loop.out.send(rank, Keys(number))
    loop.turn()
    assert posted == [(1, [Keys(1), Keys(3)]), (0, [Keys(2)])]


def test_each_role_of_a_rank_reacts_to_its_own_messages_with_its_own_state() -> None:
    here, _ = two_loops()
    one: Log = []
    other: Log = []
    here.host(one, {Keys: note})
    here.host(other, {Clear: note})
    here.out.send(0, Keys(1))
    here.out.send(0, Clear(2))
    here.turn()
    here.turn()
    assert (one, other) == ([Keys(1)], [Clear(2)])


def test_the_first_order_to_stop_counts_and_leave_is_remembered() -> None:
    here, there = two_loops()
    there.out.send(0, Stop(3, "first"))
    there.out.send(0, Stop(4, "second"))
    there.turn()
    here.turn()
    assert (here.stop, here.left) == (Stop(3, "first"), False)
    there.out.send(0, Leave())
    there.turn()
    here.turn()
    assert here.left


def test_a_message_that_nobody_here_expects_names_its_sender() -> None:
    here, there = two_loops()
    there.out.send(0, Withdrawn((), (), 0))
    there.turn()
    with pytest.raises(PeerProtocolError, match="rank 1: sent Withdrawn, which is for a task, to rank 0"):
        here.turn()


@pytest.mark.parametrize("rank", [-1, 2])
def test_mail_for_a_rank_that_does_not_exist_is_our_own_fault(rank: int) -> None:
    here, _ = two_loops()
    here.out.send(rank, Keys(1))
    with pytest.raises(OurProtocolError, match=f"rank 0 has mail for rank {rank} in a world of 2"):
        here.turn()


def breaking(state: Any, out: Outbox, arrival: Arrival, now: float) -> None:
    raise ZeroDivisionError("in a reactor")


def test_what_breaks_a_loop_ends_every_wait() -> None:
    here, there = two_loops()
    here.host(None, {Keys: breaking})
    there.out.send(0, Keys(1))
    there.turn()
    waiting = [Waiter(here), Waiter(here)]
    for waiter in waiting:
        waiter.join()
    assert all(isinstance(waiter.error, ZeroDivisionError) for waiter in waiting)
    with pytest.raises(ZeroDivisionError):
        here.wait(lambda: False)
    with pytest.raises(ZeroDivisionError):
        here.turn()


class Waiter(threading.Thread):
    """A thread that waits for what never comes."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self._loop = loop
        self.start()

    def run(self) -> None:
        try:
            self._loop.wait(lambda: False, timeout=30)
        except BaseException as error:
            self.error = error


# waiting ----------------------------------------------------------------------------------------------------------------


def test_waiting_for_what_holds_already_drives_nothing() -> None:
    here, _ = two_loops()
    here.host(None, {Keys: breaking})
    here.out.send(0, Keys(1))
    assert here.wait(lambda: True, timeout=0)


def test_waiting_drives_the_loop_until_the_condition_holds() -> None:
    here, _ = two_loops()
    log: Log = []

    def count(state: Log, out: Outbox, arrival: Arrival, now: float) -> None:
        state.append(arrival.message)
        out.send(0, Keys(len(state)))

    here.host(log, {Keys: count})
    here.out.send(0, Keys(0))
    assert here.wait(lambda: len(log) == 5)
    assert log == [Keys(number) for number in range(5)]


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_wait_ends_at_its_limit(timeout: float) -> None:
    here, _ = two_loops()
    assert not here.wait(lambda: False, timeout)


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_wait_ends_at_its_limit_although_there_is_always_something_to_do(timeout: float) -> None:
    here, _ = two_loops()
    turns: Log = []

    def again(state: Log, out: Outbox, arrival: Arrival, now: float) -> None:
        state.append(now)
        assert now - state[0] < 5, "the limit is long over"
        out.send(0, Keys(1))

    here.host(turns, {Keys: again})
    here.out.send(0, Keys(1))
    assert not here.wait(lambda: False, timeout)


def test_what_comes_with_the_last_turn_still_counts() -> None:
    here, _ = two_loops()
    log: Log = []
    here.host(log, {Keys: note})
    here.transport.post(0, [Parcel(Keys(1))])
    assert here.wait(lambda: log, timeout=0)


def test_the_guest_runs_whenever_somebody_waits() -> None:
    here, _ = two_loops()
    ran: Log = []

    def guest() -> bool:
        ran.append("a call")
        return False

    here.guest = guest
    assert here.wait(lambda: len(ran) == 3)


# afterwards -------------------------------------------------------------------------------------------------------------


def test_what_is_to_be_done_afterwards_is_done_without_the_lock() -> None:
    here, _ = two_loops()
    log: Log = []

    def act() -> None:
        assert here.hold.take(blocking=False)
        here.hold.drop()
        log.append("acted")

    def react(state: Log, out: Outbox, arrival: Arrival, now: float) -> None:
        here.afterwards(act)
        state.append("reacted")

    here.host(log, {Keys: react})
    here.transport.post(0, [Parcel(Keys(1)), Parcel(Keys(2))])
    assert here.turn()
    assert log == ["reacted", "reacted", "acted", "acted"]


def test_an_action_may_wait_for_more() -> None:
    here, _ = two_loops()
    log: Log = []
    here.host(log, {Keys: note})

    def act() -> None:
        here.out.send(0, Keys(7))
        assert here.wait(lambda: log == [Keys(7)], timeout=10)

    here.afterwards(act)
    assert here.turn()
    assert log == [Keys(7)]


# signals ----------------------------------------------------------------------------------------------------------------


def test_a_signal_in_the_middle_of_a_turn_is_put_off_and_breaks_nothing() -> None:
    here, _ = two_loops()
    log: Log = []

    def interrupted(state: Log, out: Outbox, arrival: Arrival, now: float) -> None:
        here.hold.interrupt(KeyboardInterrupt("SIGINT"))  # as its handler does
        state.append(arrival.message)

    here.host(log, {Keys: interrupted, Goodbye: note})
    here.transport.post(0, [Parcel(Keys(1)), Parcel(Goodbye(0))])
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        here.turn()
    assert log == [Keys(1), Goodbye(0)]
    assert here.failure is None
    here.transport.post(0, [Parcel(Goodbye(1))])
    assert here.turn()
    assert log[-1] == Goodbye(1)


def test_who_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, own = two_loops()[0], threading.get_ident()
    seen: list[bool] = []
    for threads in ({own}, {own, own + 1}):
        monkeypatch.setattr("mpikernel.wire.loop.sys._current_frames", lambda threads=threads: dict.fromkeys(threads))
        seen.append(loop.alone)
    monkeypatch.setattr("mpikernel.wire.loop.sys._current_frames", lambda: {own: None})
    loop.afterwards(lambda: seen.append(loop.alone))
    loop.turn()
    assert [*seen, loop.alone] == [True, False, False, True], "not where there is another thread, and not in a callback"
