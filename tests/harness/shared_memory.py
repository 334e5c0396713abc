"""Which files in /dev/shm belong to a run, so that what it leaves there is found and removed.

The names tell nothing (MPICH's are random) and other worlds may run on the same machine; so while the run lives, each new file
is looked for in the memory maps of the run's own processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.harness.processes import marked

FOLDER = Path("/dev/shm")
LOOKS = 5  # times that a new file is looked for: it may be made some time before it is mapped, and may be another world's


class SharedMemory:
    """The files in /dev/shm that the run with `mark` has been seen to use."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._before = _names()  # there when the run began, so not of this run
        self._ours: set[str] = set()  # seen in the maps of a process of this run
        self._looks: Counter[str] = Counter()  # how often each new file has been looked for

    def look(self) -> None:
        """Find out whose the new files are; costs a listing while nothing changes."""
        new = {name for name in _names() - self._before - self._ours if self._looks[name] < LOOKS}
        if new:
            self._looks.update(new)
            self._ours.update(name for process in marked(self._mark) for name in _mapped(process))

    def take_left(self) -> tuple[str, ...]:
        """The names of what the run left there; removed, since they hold memory."""
        left = sorted((self._ours - self._before) & _names())
        for name in left:
            (FOLDER / name).unlink(missing_ok=True)
        return tuple(left)


def _names() -> set[str]:
    return {path.name for path in FOLDER.iterdir()} if FOLDER.is_dir() else set()


def _mapped(process: psutil.Process) -> Iterator[str]:
    """The names of the files in /dev/shm that `process` has mapped."""
    try:
        maps = Path(f"/proc/{process.pid}/maps").read_text(errors="replace")
    except OSError:
        return  # it ended meanwhile
    for line in maps.splitlines():
        _, found, name = line.partition(f" {FOLDER}/")
        if found:
            yield name.removesuffix(" (deleted)")
