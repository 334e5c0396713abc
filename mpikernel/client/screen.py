"""What engines print, as the script's user sees it: each line with the engine's id, and all that a call printed before its value is given.

Where it is written to is the user's: it may be slow, raise, or want a lock that somebody holds who waits for a result. So only one thread
writes at a time, who waits for that one to come to an end does so no longer than it gets on, and what is raised there costs no result.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import suppress

from mpikernel.wire.hold import Hold
from mpikernel.wire.messages import Output

#: So long (seconds) somebody waits for a thread that writes one output; then that one may wait for him.
PATIENCE = 1.0


class Screen:
    """Shows output in the order in which it came. Threads that wait and the attendant may be at it at the same time."""

    def __init__(self) -> None:
        self._waiting: deque[Output] = deque()
        self._came = self._shown = 0  # outputs so far; each is counted by one thread at a time
        self._writing = threading.Lock()
        self._writer = 0  # the thread that has it
        self._progress = threading.Condition()  # told of each that has been shown
        self._stuck_at = -1  # so many had been shown when somebody lost patience

    @property
    def behind(self) -> bool:
        """Whether some of it has come that has not been shown."""
        return self._came != self._shown

    def put(self, output: Output) -> None:
        """Some has come; under the loop's lock. Whoever puts it has it shown after the turn."""
        self._waiting.append(output)
        self._came += 1

    def show(self) -> None:
        """Write what has come; if another thread is at it, that one writes this too. Without the loop's lock: it may take long."""
        while self._waiting and self._writing.acquire(blocking=False):  # again: some may have come when that one had just looked
            try:
                self._writer = threading.get_ident()
                self._write_all()
            finally:
                self._writer = 0
                self._writing.release()

    def _write_all(self) -> None:
        while self._waiting:
            try:
                _write(self._waiting.popleft())
            finally:
                with self._progress:
                    self._shown += 1
                    self._progress.notify_all()

    def wait(self) -> None:
        """Wait until other threads have shown what has come by now; not for one that does not get on. Writes nothing itself."""
        due = self._came
        if self._shown == due:
            return
        with self._progress:
            while self._shown < due and self._shown != self._stuck_at and self._writer != threading.get_ident():
                if not self._gets_on(self._shown):
                    self._stuck_at = self._shown

    def _gets_on(self, shown: int) -> bool:
        return self._progress.wait_for(lambda: self._shown != shown, PATIENCE)

    def catch_up(self, hold: Hold) -> None:
        """What has been waited for may be given: what was printed before it has come too, and is to be seen first."""
        if self._shown == self._came:  # mostly
            return
        shut = hold.shut()  # the user's signal handlers come when it is over
        try:
            self.show()
            self.wait()
        finally:
            hold.reopen(shut)


def _write(output: Output) -> None:
    stream = sys.stderr if output.stream == "stderr" else sys.stdout
    lines = output.text.splitlines()
    try:
        stream.write("".join(f"[{output.stream}:{output.engine}] {line}\n" for line in lines))
        stream.flush()
    except (OSError, ValueError, AttributeError):
        pass  # the script has closed or lost its terminal; the engine's log has it
    except Exception:
        with suppress(Exception):  # it is no thread's fault that happens to be here: told as callbacks' are
            sys.excepthook(*sys.exc_info())
