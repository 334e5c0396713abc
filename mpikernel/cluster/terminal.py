"""Standard input for mpiexec, which runs in a session of its own, where a terminal is not its own.

Open MPI does not read from such a terminal, and MPICH reads although another job is in the foreground. So a terminal is read here and
goes on through a pipe; files and pipes are handed on as they are.
"""

from __future__ import annotations

import os
import signal
import threading

STANDARD_INPUT = 0
PIECE = 65536  # bytes; a terminal hands over lines


class Feed:
    """What mpiexec reads. Hand `source` to it, then call `start`."""

    def __init__(self) -> None:
        self.source = STANDARD_INPUT  # file for mpiexec
        self._writer = -1  # our end, where there is a pipe
        if os.isatty(STANDARD_INPUT):
            self.source, self._writer = os.pipe()

    def start(self) -> None:
        """Begin to pass on what is typed; after the last fork, since it takes a thread."""
        if self._writer < 0:
            return
        os.close(self.source)
        threading.Thread(target=_pass_on, args=(self._writer,), name="terminal", daemon=True).start()


def _pass_on(writer: int) -> None:
    # In the background reading is answered with a signal that stops us; where it is blocked, with an error.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
    try:
        while piece := os.read(STANDARD_INPUT, PIECE):
            os.write(writer, piece)
    except OSError:
        pass  # in the background, the terminal is gone, or nobody reads any more: no more input
    finally:
        os.close(writer)
