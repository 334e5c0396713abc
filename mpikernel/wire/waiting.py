"""How a rank waits: yield, then sleep, then sleep until somebody rings. The only sleep in the package outside of user code.

The ladder starts again with every message. While a large transfer is under way it does not sleep, because transfers
advance only inside MPI calls; but if nothing at all has arrived for a while the peer is busy, and it sleeps all the same.

To stay awake pays only where the next message comes before one would sleep anyway, and takes cores from others where it does not. So
a rank does as its last waits would have had it: competitive spinning, with their average as the forecast (Karlin, Li, Manasse,
Owicki: Empirical studies of competitive spinning, 1991).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from mpikernel.wire.doorbell import Doorbell

#: Rounds without sleep, where the next message comes soon, and where it does not. A round polls MPI, which takes a few microseconds, and
#: gives the core to others: that costs little where nobody wants it, and spinning much where somebody does.
LONG = 400
BRIEF = 20
#: A message comes soon if it comes after no more than so much sleep (seconds): LONG rounds would have seen it.
SOON = 5e-4
#: The first sleep is this part of what a wait sleeps in all, on average.
PART = 1 / 8
#: The weight of the last wait in that average, and of how much sleep it counts at most (seconds).
FRESH = 0.25
MOST = 4e-3
#: Sleeps grow from the first to the last (seconds).
FIRST_SLEEP = 50e-6
LAST_SLEEP = 1e-3
GROWTH = 1.25
#: From the longest sleeps on, who has a bell sleeps at it; before, that would not pay: to ring, and to be woken, takes the core longer
#: than a look for mail. It looks by itself after this part of what it has slept: what is due with time is late by so much at most.
DUE = 1 / 4
#: How long a transfer under way keeps a rank from sleeping although nothing arrives (seconds).
TRANSFER_PATIENCE = 0.2
#: The kernel may add so much to each sleep (nanoseconds), to wake up for several at once; left alone it takes 50 microseconds.
SLACK = 1000


def sleep_exactly() -> None:
    """Have sleeps of this thread end when they are over, and those of threads that it starts, the user's too (Linux)."""
    with suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text(str(SLACK))


class Habit:
    """For how many rounds a wait stays `awake`, and how long it sleeps at first (`sleep`, seconds), as the last few would have had it."""

    __slots__ = ("_usual", "awake", "sleep")

    def __init__(self) -> None:
        self.awake = LONG
        self.sleep = FIRST_SLEEP
        self._usual = 0.0  # seconds of sleep in a wait, on average

    def learn(self, slept: float) -> None:
        """Something came after so much sleep (seconds)."""
        self._usual += FRESH * (min(slept, MOST) - self._usual)
        self.awake = LONG if self._usual <= SOON else BRIEF
        self.sleep = max(FIRST_SLEEP, self._usual * PART)


class Ladder:
    """One wait. `rest` after a round in which nothing happened, `reset` after one in which something did.

    Sleeps grow to `longest` (seconds). Without a habit it does not stay awake at all, and sleeps a quarter of that at first.
    """

    __slots__ = ("_armed", "_bell", "_habit", "_idle_since", "_longest", "_rounds", "_sleep", "_slept")

    def __init__(self, habit: Habit | None, longest: float = LAST_SLEEP, bell: Doorbell | None = None) -> None:
        self._habit = habit
        self._longest = longest
        self._bell = bell
        self._armed = False  # the bell; there has been one more look since
        self._slept = 0.0  # seconds, of those that were asked for
        self._rounds = 0  # without anything happening
        self._sleep = longest / 4 if habit is None else habit.sleep  # the next one
        self._idle_since = 0.0  # monotonic; 0 while not yet yielding

    def reset(self) -> None:
        if self._habit is not None and self._rounds > BRIEF:
            self._habit.learn(self._slept)
        self._rounds = 0
        self._sleep = self._longest / 4 if self._habit is None else self._habit.sleep
        self._idle_since = 0.0
        self._slept = 0.0
        self._armed = False

    @property
    def resting(self) -> bool:
        """Whether it has come down to the longest sleeps."""
        return self._sleep >= self._longest

    def rest(self, moving: bool, at_most: float = float("inf"), idle: bool = False) -> None:
        """Let time pass: at most so many seconds, plus what the kernel adds.

        Args:
            moving: a large transfer is under way.
            at_most: seconds.
            idle: nothing is under way at all.
        """
        self._rounds += 1
        awake = self._habit.awake if self._habit is not None else 0
        if self._rounds <= awake or (moving and self._transfer_may_go_on()):
            os.sched_yield()
            return
        if self._bell is not None and idle and not moving and self.resting:
            self._rest_at(self._bell, at_most)
            return
        time.sleep(min(self._sleep, at_most))
        self._slept += self._sleep
        self._sleep = min(self._sleep * GROWTH, self._longest)

    def _rest_at(self, bell: Doorbell, at_most: float) -> None:
        """Have it rung from now on; sleep at it when there has been one more look for mail since."""
        if self._armed:
            begun = time.monotonic()
            bell.sleep(min(at_most, max(self._longest, self._slept * DUE)))
            self._slept += time.monotonic() - begun
        else:
            bell.arm()
        self._armed = not self._armed

    def _transfer_may_go_on(self) -> bool:
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        return now - self._idle_since < TRANSFER_PATIENCE
