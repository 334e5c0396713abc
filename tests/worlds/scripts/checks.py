"""What the check scripts share. Such a script defines functions named check_*; each is run, and each failure told with its traceback."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def run_checks(namespace: Mapping[str, Any]) -> None:
    """Run every check of the script; it ends with 1 if any failed."""
    checks = {name: value for name, value in namespace.items() if name.startswith("check_")}
    failed = [name for name, check in checks.items() if not _passes(name, check)]
    print(f"{len(checks)} checks, {len(failed)} failed", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _passes(name: str, check: Callable[[], object]) -> bool:
    try:
        check()
    except Exception:
        print(f"{name} failed:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        return False
    print("ok", name, flush=True)
    return True


class Caught:
    """The exception that a block raised."""

    error: Any = None


@contextmanager
def raises(kind: type[BaseException], *words: str) -> Iterator[Caught]:
    """The block must raise this kind of exception, and its text must hold all of these words, in whichever case."""
    caught = Caught()
    try:
        yield caught
    except kind as error:
        caught.error = error
    else:
        raise AssertionError(f"nothing was raised, expected {kind.__name__}")
    missing = [word for word in words if word.lower() not in str(caught.error).lower()]
    assert not missing, f"{missing} not in {type(caught.error).__name__}: {caught.error}"


def wait_until(condition: Callable[[], Any], limit: float = 20.0) -> None:
    """Wait for a condition without making a call into the client; it must come true in time."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
