"""An engine's process is not the user's to end: os._exit there is an error of its call, as sys.exit is.

It would end the world without a word, and under MPICH even with exit code 0. Processes that user code forks may use it.
"""

from __future__ import annotations

import os
import posix
import sys
from typing import NoReturn

#: The real one, for us.
leave_at_once = os._exit


def keep_process() -> None:
    """From now on os._exit does not end this process."""
    own = os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() != own:
            leave_at_once(status)
        raise SystemExit(status)

    os._exit = posix._exit = refuse  # pickle knows it by the other name


def end_child(process: int, error: BaseException | None) -> None:
    """End a process that user code has forked from `process` where its call ends, as python ends a program: it is no engine."""
    if os.getpid() == process:
        return
    if error is not None and not isinstance(error, SystemExit):
        sys.excepthook(type(error), error, error.__traceback__)
    sys.stdout.flush()
    code = error.code if isinstance(error, SystemExit) else error
    leave_at_once(code if isinstance(code, int) else int(code is not None))
