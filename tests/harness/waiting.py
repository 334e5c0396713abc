"""The only sleep in the tests: waiting for a condition, up to a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE = 0.02  # seconds between two looks: short beside the start of a world, long beside one look


def wait_until(condition: Callable[[], bool], limit: float) -> bool:
    """Wait until `condition()` holds; False when it did not within `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True
