"""The terms under which tasks run: where, how often, how urgently, for how long, and after which others.

Ledgers keep them, so a field is only ever added at the end and with a default.
"""

from __future__ import annotations

from msgspec import Struct


class Needs(Struct, frozen=True, array_like=True):
    """Other tasks that a task depends on. What has ended is told by the client as far as it knows; `open` is the rest.

    A task ends in the right way if it ended well and `success` is set, or if it failed or was cancelled and `failure` is set.
    """

    open: tuple[tuple[int, int], ...]  # ranges of tasks, each its first and their number
    every: bool  # whether all must end in the right way, or one is enough
    success: bool
    failure: bool
    met: bool  # one has ended in the right way
    unmet: str  # the first that has ended in the wrong way, and how; empty if there is none
    engines: tuple[int, ...]  # on which those that ended in the right way ran, each once


class Terms(Struct, frozen=True, array_like=True, omit_defaults=True):
    """What is said of tasks beside what they call. A limit of 0 s is none."""

    targets: tuple[int, ...] = ()  # engines; empty for any
    retries: int = 0
    priority: int = 0  # what is higher goes first
    timeout: float = 0.0  # seconds that a run may take
    queue_timeout: float = 0.0  # seconds that a task may wait for its first run
    after: Needs | None = None  # in time
    follow: Needs | None = None  # in time, and to the same engines
    recovery: bytes = b""  # the function that is called in its place when its last run has failed, by its digest; empty for none


#: Those of nearly all tasks.
PLAIN = Terms()
