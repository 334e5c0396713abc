"""A clock that moves when it is told to, for reactors and loops, which never look at one themselves."""

from __future__ import annotations


class ManualClock:
    """Calling it tells the time in seconds since the epoch, as time.time does."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Let time pass; the time it is then."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        self.now += seconds
        return self.now
