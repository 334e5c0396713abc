"""Which of the engines that have room gets a task: small functions, chosen by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mpikernel.errors import UsageError
from mpikernel.interfaces.task.pace import MOST


class Loads(NamedTuple):
    """What is known of engines."""

    work: Callable[[int], float]  # seconds that one will be busy, as far as can be told
    turn: Callable[[int], int]  # when it was given something last: a number that grows


Choose = Callable[[Sequence[int], Loads], int]


class Policy(NamedTuple):
    """A way of placing tasks."""

    choose: Choose  # one of the engines that have room, of which there is at least one
    ahead: int = MOST  # tasks that an engine holds at most


def leastload(engines: Sequence[int], loads: Loads) -> int:
    """The engine that has least to do; the first of several."""
    return min(engines, key=loads.work)


def lru(engines: Sequence[int], loads: Loads) -> int:
    """The engine that has not been given anything for longest, whatever it has to do."""
    return min(engines, key=loads.turn)


def plainrandom(engines: Sequence[int], loads: Loads) -> int:
    """Any engine, at random."""
    return random.choice(engines)


def twobin(engines: Sequence[int], loads: Loads) -> int:
    """Of two engines, drawn at random, the one that has not been given anything for longer."""
    return lru(random.choices(engines, k=2), loads)


def weighted(engines: Sequence[int], loads: Loads) -> int:
    """Of two engines, drawn at random where who has less to do is likelier, the one that has less to do."""
    works = [loads.work(engine) for engine in engines]
    usual = sum(works) / len(works) or 1.0
    return leastload(random.choices(engines, [1.0 / (usual + work) for work in works], k=2), loads)


POLICIES = {
    "leastload": Policy(leastload),
    "lru": Policy(lru),
    "plainrandom": Policy(plainrandom),
    "twobin": Policy(twobin),
    "weighted": Policy(weighted),
    # First come, first served: no engine has a task while another waits for its next, so an engine gets one when it asks for it.
    "pure": Policy(leastload, ahead=1),
}


def policy_named(name: str) -> Policy:
    """The policy of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in POLICIES:
        raise UsageError(f"policy={name!r} is no policy of placing tasks: it is one of {', '.join(POLICIES)}")
    return POLICIES[name]
