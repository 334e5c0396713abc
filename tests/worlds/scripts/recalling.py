"""Who has nothing to do gets what others have not begun. Runs in a world with two engines or more."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checks import run_checks

from mpikernel import Client

client = Client()
view = client.load_balanced_view([0, 1])
first = client[0]
LIMIT = 60.0  # seconds; what is stuck is told then


def until_let_go(path: Path) -> str:
    end = time.monotonic() + 2 * LIMIT
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return "let go" if path.exists() else "nobody came"


def size(data: bytes) -> int:
    return len(data)


@contextmanager
def sign() -> Iterator[Path]:
    """A file that comes into being at the end, for which something waits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "go on"
        try:
            yield path
        finally:
            path.touch()


def check_tasks_do_not_stay_behind_a_direct_call() -> None:
    with sign() as path:
        held = first.apply_async(until_let_go, path)
        for count in (10, 20):
            assert view.apply_async(size, bytes(count)).get(LIMIT) == count
        path.touch()
        assert held.get(LIMIT) == "let go"


def check_tasks_do_not_stay_behind_one_of_a_map() -> None:
    with sign() as path, sign() as at_once:
        at_once.touch()
        held = view.map_async(until_let_go, [path, at_once], chunksize=1)
        behind = [view.apply_async(size, bytes(count)) for count in (10_000, 20_000, 30_000)]
        assert [result.get(LIMIT) for result in behind] == [10_000, 20_000, 30_000]
        path.touch()
        assert held.get(LIMIT) == ["let go", "let go"]


run_checks(globals())
