"""How a rank waits: spin, then yield, then sleep, then sleep until somebody rings. The only sleep in the package outside of user code.

The ladder starts again with every message. While a large transfer is under way it does not sleep, because transfers
advance only inside MPI calls; but if nothing at all has arrived for a while the peer is busy, and it sleeps all the same.
"""

from __future__ import annotations

import os
import time

from mpikernel.wire.doorbell import Doorbell

#: Rounds without sleep, first spinning, then giving the core to others. A round polls MPI and takes a few microseconds.
SPINS = 50
YIELDS = 350
#: Sleeps grow from the first to the last (seconds). The kernel adds about 50 microseconds to each.
FIRST_SLEEP = 50e-6
LAST_SLEEP = 1e-3
GROWTH = 1.25
#: After so long in such sleeps (seconds) a rank that has a bell sleeps until it rings. By then nothing is due soon any more.
QUIET = 0.1
#: How long a transfer under way keeps a rank from sleeping although nothing arrives (seconds).
TRANSFER_PATIENCE = 0.2


class Ladder:
    """One wait. `rest` after a round in which nothing happened, `reset` after one in which something did.

    Sleeps grow to `longest` (seconds), after so many rounds `awake`.
    """

    __slots__ = ("_armed", "_awake", "_bell", "_idle_since", "_longest", "_rounds", "_sleep", "_slept")

    def __init__(self, longest: float = LAST_SLEEP, bell: Doorbell | None = None, awake: int = SPINS + YIELDS) -> None:
        self._longest = longest
        self._bell = bell
        self._awake = awake
        self._armed = False  # the bell; there has been one more look since
        self._slept = 0.0  # seconds, of those that were asked for
        self._rounds = 0  # without anything happening
        self._sleep = FIRST_SLEEP  # the next one
        self._idle_since = 0.0  # monotonic; 0 while not yet yielding

    def reset(self) -> None:
        self._rounds = 0
        self._sleep = FIRST_SLEEP
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
        if self._rounds <= min(SPINS, self._awake):
            return
        if self._rounds <= self._awake or (moving and self._transfer_may_go_on()):
            os.sched_yield()
            return
        if self._bell is not None and idle and not moving and self._slept >= QUIET:
            self._rest_at(self._bell, at_most)
            return
        time.sleep(min(self._sleep, at_most))
        self._slept += self._sleep
        self._sleep = min(self._sleep * GROWTH, self._longest)

    def _rest_at(self, bell: Doorbell, at_most: float) -> None:
        """Have it rung from now on; sleep at it when there has been one more look for mail since."""
        if self._armed:
            bell.sleep(at_most)
        else:
            bell.arm()
        self._armed = not self._armed

    def _transfer_may_go_on(self) -> bool:
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        return now - self._idle_since < TRANSFER_PATIENCE
