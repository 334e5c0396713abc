"""What engines print, as the script's user sees it: each line with the engine's id, and all that a call printed before it is done."""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import suppress

from mpikernel.wire.messages import Output


class Screen:
    """Shows output in the order in which it came. Threads that wait and the attendant may be at it at the same time."""

    def __init__(self) -> None:
        self._waiting: deque[Output] = deque()
        self._came = self._shown = 0  # outputs so far; each is counted by one thread at a time
        self._lock = threading.RLock()  # a signal handler of the user's, which may wait here too, may come while something is written

    @property
    def behind(self) -> bool:
        """Whether some of it has come that has not been shown."""
        return self._came != self._shown

    def put(self, output: Output) -> None:
        """Some has come; under the loop's lock."""
        self._waiting.append(output)
        self._came += 1

    def show(self) -> None:
        """Write what has come, and return when no other thread is at it any more. Without the loop's lock: it may take long."""
        with self._lock:
            while self._waiting:
                try:
                    _write(self._waiting.popleft())
                finally:
                    self._shown += 1


def _write(output: Output) -> None:
    stream = sys.stderr if output.stream == "stderr" else sys.stdout
    lines = output.text.splitlines()
    with suppress(OSError, ValueError, AttributeError):  # the script has closed or lost its terminal; the engine's log has it
        stream.write("".join(f"[{output.stream}:{output.engine}] {line}\n" for line in lines))
        stream.flush()
