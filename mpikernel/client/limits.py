"""Limits of time, as users give them to what waits. Knows nothing of what it waits for."""

from __future__ import annotations

from math import inf, isnan

from mpikernel.errors import UsageError


def seconds(timeout: float | None) -> float | None:
    """A limit of time; None, infinity and negative numbers mean none.

    Raises:
        UsageError: it is no number.
    """
    if timeout is None:
        return None
    if not hasattr(timeout, "__float__") or isnan(timeout):
        raise UsageError(f"timeout={timeout!r} is no limit of time: it is a number of seconds, or None for none")
    return None if timeout < 0 or timeout == inf else float(timeout)
