"""How long tasks take, and so how many of them an engine is given ahead. Pure arithmetic, in seconds of work."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

#: An engine is given about this much work (seconds): enough to be busy until its next report is answered, little enough to be
#: no trouble to whoever waits behind it. So tasks that take longer are given one at a time, with none ahead.
HORIZON = 0.05
#: Tasks that an engine holds at most, however short they are.
MOST = 1000
#: What a task of an unknown function is taken to take: an engine gets two, and then tells.
UNKNOWN = HORIZON / 2
#: No task is taken to be quicker (seconds).
QUICKEST = 1e-6
#: Of a task, what may be missing for it to fit: times are not exact.
ROUNDING = 1e-6
#: The weight of a new report against what was known.
FRESH = 0.5
#: Functions whose pace is remembered.
CAPACITY = 1024


class Paces:
    """Seconds that tasks of each function take, as engines tell."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[bytes, float] = OrderedDict()  # by function, the one learnt last at the end

    def of(self, function: bytes) -> float:
        """Seconds that a task of a function will take, as far as can be told."""
        return self._seconds.get(function, UNKNOWN)

    def learn(self, function: bytes, seconds: float) -> None:
        """Tasks of a function have taken so long, on average."""
        before = self._seconds.pop(function, seconds)
        self._seconds[function] = max(QUICKEST, before + FRESH * (seconds - before))
        if len(self._seconds) > CAPACITY:
            self._seconds.popitem(last=False)

    def work(self, held: Mapping[bytes, int]) -> float:
        """Seconds that so many tasks of each function will take."""
        work, seconds = 0.0, self._seconds
        for function, count in held.items():
            work += count * seconds.get(function, UNKNOWN)
        return work

    def room(self, function: bytes, held: Mapping[bytes, int], count: int) -> int:
        """How many tasks of a function may be given to an engine that holds so many of each, and so many in all."""
        work = self.work(held)
        if enough(work, count):
            return 0
        fitting = int((HORIZON - work) / self.of(function) + ROUNDING)
        return max(1, min(MOST - count, fitting))


def enough(work: float, count: int) -> bool:
    """Whether so much work (seconds) in so many tasks is all that an engine gets: a few large messages cost less than many small ones."""
    return work > HORIZON / 2 or count > MOST / 2
