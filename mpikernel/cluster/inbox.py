"""Signals as values: they wait in an inbox until somebody looks, instead of breaking in anywhere. Knows not what they mean."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterable
from types import FrameType
from typing import Any, Self


class Inbox:
    """Collects signals while it is open (as a context manager, in the main thread); afterwards they do again what they did before."""

    def __init__(self, signums: Iterable[signal.Signals]) -> None:
        self._signums = tuple(signums)
        self._before: dict[signal.Signals, Any] = {}  # handlers to be put back
        self._wakeup = -1  # the file to be put back
        self._reader, self._writer = socket.socketpair()  # Python writes the number of each signal into it

    def wait(self, seconds: float | None) -> list[signal.Signals]:
        """Wait until signals have come, at most so many seconds (None: any time), and take them out, oldest first."""
        select.select([self._reader], [], [], seconds)
        try:
            return [signal.Signals(number) for number in self._reader.recv(4096)]
        except BlockingIOError:
            return []

    def __enter__(self) -> Self:
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _do_nothing) for number in self._signums}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        self._reader.close()
        self._writer.close()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """A signal must have a handler to be written into the inbox."""
