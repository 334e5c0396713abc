"""What a test does when something that it needs is not on this machine: in CI it fails, at home it skips and says why."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


def missing(reason: str) -> NoReturn:
    """End the running test because of `reason`, which names what is missing and how to get it."""
    __tracebackhide__ = True
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
