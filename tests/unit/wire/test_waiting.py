"""The ladder of waiting: yield, sleep; no sleep while a transfer goes on."""

from __future__ import annotations

import pytest

from mpikernel.wire import waiting
from mpikernel.wire.waiting import BRIEF, DUE, FIRST_SLEEP, LAST_SLEEP, LONG, SOON, TRANSFER_PATIENCE, Habit, Ladder


class Rests:
    """What a ladder did, and the monotonic time, which passes only while it sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.yields = 0
        self.sleeps: list[float] = []

    def sched_yield(self) -> None:
        self.yields += 1

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> Rests:
    rests = Rests()
    monkeypatch.setattr(waiting, "time", rests)
    monkeypatch.setattr(waiting, "os", rests)
    return rests


def rest(ladder: Ladder, rounds: int, moving: bool = False) -> None:
    for _ in range(rounds):
        ladder.rest(moving)


def test_first_it_yields_then_it_sleeps_longer_and_longer(rests: Rests) -> None:
    ladder = Ladder(Habit())
    rest(ladder, LONG)
    assert (rests.yields, rests.sleeps) == (LONG, [])
    assert not ladder.resting
    rest(ladder, 50)
    assert rests.yields == LONG
    assert rests.sleeps == sorted(rests.sleeps)
    assert (rests.sleeps[0], rests.sleeps[-1]) == (FIRST_SLEEP, LAST_SLEEP)
    assert ladder.resting


def test_who_is_to_leave_the_core_to_others_sleeps_at_once(rests: Rests) -> None:
    ladder = Ladder(None)
    rest(ladder, 3)
    ladder.reset()
    rest(ladder, 1)
    assert rests.sleeps[0] == rests.sleeps[-1] == LAST_SLEEP / 4
    assert len(rests.sleeps) == 4
    assert not rests.yields


def test_whatever_happens_starts_it_again(rests: Rests) -> None:
    ladder = Ladder(Habit())
    rest(ladder, LONG + 4)
    ladder.reset()
    assert not ladder.resting
    rests.sleeps.clear()
    rest(ladder, LONG)
    assert rests.sleeps == []
    rest(ladder, 1)
    assert rests.sleeps == [FIRST_SLEEP]


def test_where_nothing_came_for_long_the_next_wait_goes_to_sleep_sooner_and_for_longer(rests: Rests) -> None:
    habit = Habit()
    ladder = Ladder(habit)
    rest(ladder, LONG + 30)
    ladder.reset()
    rests.sleeps.clear()
    rests.yields = 0
    for wait in (ladder, Ladder(habit)):  # the same thread's next one, and any other's
        rest(wait, BRIEF)
        assert rests.sleeps == []
        rest(wait, 1)
        assert FIRST_SLEEP < rests.sleeps.pop() < LAST_SLEEP
    assert rests.yields == 2 * BRIEF


def test_where_messages_come_soon_again_it_stays_awake_again(rests: Rests) -> None:
    ladder = Ladder(Habit())
    rest(ladder, LONG + 30)
    ladder.reset()
    for _ in range(5):
        rest(ladder, BRIEF + 1)
        ladder.reset()  # came during its first sleep
    rests.sleeps.clear()
    rest(ladder, LONG)
    assert rests.sleeps == []


def test_one_long_wait_among_many_short_ones_changes_little(rests: Rests) -> None:
    ladder = Ladder(Habit())
    for rounds in (LONG, LONG, LONG + 9, LONG, LONG):
        rest(ladder, rounds)
        ladder.reset()
    assert sum(rests.sleeps) > SOON
    rests.sleeps.clear()
    rest(ladder, LONG)
    assert rests.sleeps == []


def test_what_comes_at_once_tells_nothing_of_how_long_to_wait(rests: Rests) -> None:
    ladder = Ladder(Habit())
    rest(ladder, LONG + 30)
    ladder.reset()
    rest(ladder, BRIEF)
    ladder.reset()
    rests.sleeps.clear()
    rest(ladder, BRIEF + 1)
    assert len(rests.sleeps) == 1


def test_while_a_transfer_goes_on_it_does_not_sleep(rests: Rests) -> None:
    ladder = Ladder(Habit())
    rest(ladder, LONG + 1000, moving=True)
    assert rests.sleeps == []


def test_a_transfer_that_does_not_go_on_keeps_it_awake_only_for_a_while(rests: Rests) -> None:
    ladder = Ladder(Habit())
    rest(ladder, LONG + 1, moving=True)
    rests.now += TRANSFER_PATIENCE
    rest(ladder, 1, moving=True)
    assert rests.sleeps == [FIRST_SLEEP]
    ladder.reset()
    rest(ladder, LONG + 1, moving=True)
    assert len(rests.sleeps) == 1


def test_it_sleeps_no_longer_than_it_may(rests: Rests) -> None:
    ladder = Ladder(Habit(), longest=1e-4)
    rest(ladder, LONG + 50)
    assert max(rests.sleeps) == 1e-4
    ladder.rest(False, at_most=1e-6)
    assert rests.sleeps[-1] == 1e-6


class Bell:
    """What a ladder did at its bell, which nobody rings."""

    def __init__(self, rests: Rests) -> None:
        self.heard: list[object] = []
        self._rests = rests

    def arm(self) -> None:
        self.heard.append("arm")

    def sleep(self, seconds: float) -> None:
        self.heard.append(seconds)
        self._rests.now += seconds


def test_who_would_sleep_longest_sleeps_at_the_bell_after_one_more_look(rests: Rests) -> None:
    bell = Bell(rests)
    ladder = Ladder(Habit(), bell=bell)  # type: ignore[arg-type]
    while not bell.heard:
        ladder.rest(moving=False, idle=True)
    assert ladder.resting
    before = list(rests.sleeps)
    for _ in range(3):
        ladder.rest(moving=False, idle=True)
    first = sum(before) * DUE
    assert bell.heard == ["arm", pytest.approx(first), "arm", pytest.approx(first * (1 + DUE))]
    assert rests.sleeps == before
    ladder.reset()
    ladder.rest(moving=False, idle=True)
    assert len(bell.heard) == 4


def test_who_has_been_idle_for_longer_sleeps_longer_at_the_bell_but_looks_by_itself_before_what_is_due_is_much_late(rests: Rests) -> None:
    bell = Bell(rests)
    ladder = Ladder(Habit(), bell=bell)  # type: ignore[arg-type]
    begun = rests.now
    while bell.heard[-1:] != [5.0]:
        before = rests.now
        ladder.rest(moving=False, at_most=5.0, idle=True)
        assert rests.now - before <= max(LAST_SLEEP, (before - begun) * DUE) + 1e-9
    assert len(bell.heard) < 100


def test_nobody_sleeps_at_the_bell_while_something_is_under_way(rests: Rests) -> None:
    bell = Bell(rests)
    ladder = Ladder(Habit(), bell=bell)  # type: ignore[arg-type]
    rest(ladder, LONG + 1000)
    assert bell.heard == []
