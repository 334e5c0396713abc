"""The progress bar of `wait_interactive`: one that moves on a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

#: In a log file a line is written when so much more (a tenth) is done, but not more often than this (seconds) ...
LOG_STEP = 0.1
LOG_EVERY = 1.0
#: ... and at least this often (seconds), so that a reader sees it is alive.
LOG_AT_LEAST = 60.0


class Progressing(Protocol):
    """What can be watched: an AsyncResult."""

    @property
    def progress(self) -> int: ...

    @property
    def elapsed(self) -> float: ...

    def __len__(self) -> int: ...

    def wait(self, timeout: float | None = None) -> bool: ...


def show_progress(result: Progressing, name: str, interval: float, timeout: float | None) -> bool:
    """Wait for a result and show how far it is. Whether it is done, after at most `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with _bar(name, len(result)) as bar:
        while True:
            pause = interval if deadline is None else max(0.0, min(interval, deadline - time.monotonic()))
            done = result.wait(pause)
            bar.show(result.progress, result.elapsed)
            if done or (deadline is not None and time.monotonic() >= deadline):
                return done


def _bar(name: str, total: int) -> Any:
    return TerminalBar(name, total) if sys.stderr.isatty() else LogBar(name, total)


class TerminalBar:
    """A bar that is redrawn in place."""

    def __init__(self, name: str, total: int) -> None:
        from rich.console import Console  # here: 50 ms that only who looks at a bar needs to spend
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(name, total=total)

    def __enter__(self) -> TerminalBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int, elapsed: float) -> None:
        self._progress.update(self._task, completed=done)


class LogBar:
    """Lines such as `resample  40% (1600/4000) after 6.2 s, about 9 s left`."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._shown = -1  # done when the last line was written
        self._when = 0.0  # monotonic, of the last line

    def __enter__(self) -> LogBar:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, done: int, elapsed: float) -> None:
        if not self._worth_a_line(done):
            return
        self._shown, self._when = done, time.monotonic()
        share = done / self._total if self._total else 1.0
        left = f", about {elapsed / share - elapsed:.0f} s left" if 0 < share < 1 else ""
        print(f"{self._name} {share:4.0%} ({done}/{self._total}) after {elapsed:.1f} s{left}", file=sys.stderr, flush=True)

    def _worth_a_line(self, done: int) -> bool:
        if done == self._shown:
            return time.monotonic() - self._when >= LOG_AT_LEAST
        if done >= self._total:
            return True
        silent = time.monotonic() - self._when
        return silent >= LOG_AT_LEAST or (silent >= LOG_EVERY and done - self._shown >= LOG_STEP * self._total)
