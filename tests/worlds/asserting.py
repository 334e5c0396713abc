"""What tests of worlds have in common: where the check scripts are, and how a run of one is judged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.harness.report import Finished

SCRIPTS = Path(__file__).parent / "scripts"

#: Sizes at which nothing may hang: one process; roles beside the controller; and ranks of their own for all of them.
SIZES = (1, 2, 3, 4, 7)


def assert_checked(finished: Finished) -> None:
    """Assert that a check script ran to its end and that none of its checks failed."""
    __tracebackhide__ = True
    told = re.search(r"^(\d+) checks, 0 failed$", finished.stdout, re.MULTILINE)
    if told is None or int(told[1]) == 0:
        pytest.fail(finished.report())
