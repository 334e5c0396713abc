"""How things are timed: warm-up, repeats, and contestants that take turns, so that a noisy neighbour disturbs all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import NamedTuple

import msgspec

from mpikernel.bench.sheet import Series, summarize

Call = Callable[[], object]

#: Calls before those that count, each time a contestant's turn comes: the first large transfer takes 5 to 15 times as long as the next.
WARM_UP = 2
#: A turn has so many repeats even if its time is over.
LEAST = 3


class Effort(msgspec.Struct, frozen=True):
    """How much is done."""

    rounds: int  # turns of each contestant
    seconds: float  # for the repeats of one turn; one that has begun is ended
    most: int  # repeats in one turn
    tasks: int  # in one repeat of the smallest case with tasks; the others have a multiple
    largest: int  # bytes that are moved at once
    starts: int  # of each program whose start is timed

    def as_text(self) -> str:
        """For a command line; `read_effort` reads it."""
        return msgspec.json.encode(self).decode()


FULL = Effort(rounds=3, seconds=0.3, most=500, tasks=2000, largest=256 << 20, starts=9)
QUICK = Effort(rounds=1, seconds=0.02, most=5, tasks=50, largest=512 << 10, starts=1)


def read_effort(text: str) -> Effort:
    """What `Effort.as_text` wrote."""
    return msgspec.json.decode(text, type=Effort)


class Contestant(NamedTuple):
    """One way to do it. `playing` sets the stage and gives the call that is timed."""

    name: str
    playing: Callable[[], AbstractContextManager[Call]]


def on_bare_stage(name: str, call: Call) -> Contestant:
    """A contestant that needs nothing set up."""
    return Contestant(name, lambda: nullcontext(call))


def at_once() -> None:
    """What comes between two repeats, unless something else is wanted."""


def contest(
    case: str, contestants: Sequence[Contestant], effort: Effort, amount: float = 1, between: Callable[[], object] = at_once
) -> list[Series]:
    """Time each contestant in turn.

    Args:
        amount: how much one call does (tasks, bytes).
        between: called before each repeat, untimed.
    """
    took: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for _ in range(effort.rounds):
        for contestant in contestants:
            with contestant.playing() as call:
                took[contestant.name] += repeat(call, effort, between)
            del call  # and what it holds, before the next stage is set
    return [summarize(case, name, times, amount) for name, times in took.items()]


def repeat(call: Call, effort: Effort, between: Callable[[], object]) -> list[float]:
    """One turn: the seconds that each repeat took. What a call returns is dropped outside of its time."""
    for _ in range(WARM_UP):
        call()
    took: list[float] = []
    end = perf_counter() + effort.seconds
    while len(took) < LEAST or (len(took) < effort.most and perf_counter() < end):
        between()
        begun = perf_counter()
        value = call()
        took.append(perf_counter() - begun)
        del value
    return took
