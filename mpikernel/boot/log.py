"""The few lines that a rank writes about itself: to stderr and to its file under the cluster directory's log folder."""

from __future__ import annotations

import os
import sys
import time

LEVELS = ("debug", "info", "warning", "error")


class Log:
    """Lines of at least `level`. The file is opened for each line: there are few, and a crash loses none."""

    def __init__(self, level: str, path: str | None = None) -> None:
        self._least = LEVELS.index(level)
        self._path = path

    def debug(self, text: str) -> None:
        self._write("debug", text)

    def info(self, text: str) -> None:
        self._write("info", text)

    def warning(self, text: str) -> None:
        self._write("warning", text)

    def error(self, text: str) -> None:
        self._write("error", text)

    def _write(self, level: str, text: str) -> None:
        if LEVELS.index(level) < self._least:
            return
        mark = "" if level == "info" else f"{level}: "
        sys.stderr.write(f"mpikernel: {mark}{text}\n")
        sys.stderr.flush()
        if self._path is None:
            return
        try:
            with open(self._path, "a") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {os.uname().nodename} {os.getpid()} {level}: {text}\n")
        except OSError as error:
            sys.stderr.write(f"mpikernel: warning: cannot write the log {self._path}: {error.strerror}\n")
            self._path = None
