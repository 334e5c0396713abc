"""What user code prints: Python's streams, and the file descriptors of C code and child processes, as one.

Descriptors 1 and 2 of an engine are its log files, opened for appending. Everything lands there in the order in which it
was written; what belongs to a call is what the files grew by while it ran. So nothing is held in memory or can be lost.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TextIO

#: Of each stream of one call, this much is kept (bytes): half from its beginning, half from its end. The log has it all.
LIMIT = 1 << 20


class Stream:
    """One descriptor and the Python stream on top of it."""

    def __init__(self, descriptor: int, name: str, path: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._path = path
        self.log = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._saved: tuple[int, TextIO] | None = None  # what was there before
        self._text = io.TextIOWrapper(io.FileIO(self.log, "w", closefd=False), encoding="utf-8", errors="replace", write_through=True)
        self.start = self._seen = self._end = os.fstat(self.log).st_size  # of the call, what was sent on of it, of the last one

    def head(self, line: str) -> None:
        """Write a line to the log that belongs to no call."""
        os.write(self.log, f"{line}\n".encode())
        self._end = os.fstat(self.log).st_size

    def redirect(self) -> None:
        """Put the log in place of the descriptor and of sys.stdout or sys.stderr."""
        before: TextIO = getattr(sys, self.name)
        with suppress(AttributeError, OSError, ValueError):  # the script has closed or replaced it
            before.flush()
        self._saved = (os.dup(self._descriptor), before)
        os.dup2(self.log, self._descriptor, inheritable=True)
        setattr(sys, self.name, self._text)

    def restore(self) -> None:
        """Undo `redirect`."""
        if self._saved is None:
            return
        descriptor, before = self._saved
        self._saved = None
        os.dup2(descriptor, self._descriptor, inheritable=True)
        os.close(descriptor)
        setattr(sys, self.name, before)

    def begin(self) -> None:
        """What has been written since the last call ended, by threads that it left, belongs to the next one too."""
        self.start = self._seen = self._end

    def news(self, ended: bool) -> str:
        """What the call has written since the last time; while it has not `ended` up to the last end of a line."""
        end = os.fstat(self.log).st_size
        if end <= self._seen:
            return ""
        data = os.pread(self.log, min(end - self._seen, LIMIT), self._seen)
        if not ended and len(data) < LIMIT:
            data = data[: max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1]
        self._seen += len(data)
        return data.decode(errors="replace")

    def all(self) -> str:
        """What the call has written, its middle left out if it is long."""
        self._end = os.fstat(self.log).st_size
        length = self._end - self.start
        if length <= 0:
            return ""
        if length <= LIMIT:
            return os.pread(self.log, length, self.start).decode(errors="replace")
        head = os.pread(self.log, LIMIT // 2, self.start)
        tail = os.pread(self.log, LIMIT // 2, self.start + length - LIMIT // 2)
        gap = f"\n[... {length - LIMIT} bytes left out here; all of it is in {self._path} ...]\n"
        return head.decode(errors="replace") + gap + tail.decode(errors="replace")


class Output:
    """Both streams of an engine. `always` is for a process that is nothing but an engine; else only calls are redirected."""

    def __init__(self, folder: str, engine: int, always: bool) -> None:
        self.streams = (
            Stream(1, "stdout", os.path.join(folder, f"engine-{engine}.out")),
            Stream(2, "stderr", os.path.join(folder, f"engine-{engine}.err")),
        )
        self.always = always
        self._c: LibC | None = None  # made when the first call ends: ctypes takes a while to import

    def open(self) -> None:
        if self.always:
            self._redirect()

    def head(self, line: str) -> None:
        """Tell runs apart in the logs, which they share."""
        for stream in self.streams:
            stream.head(line)

    def begin(self) -> None:
        """A call begins."""
        for stream in self.streams:
            stream.begin()
        if not self.always:
            self._redirect()

    def hook_breakpoints(self) -> None:
        """Let breakpoint() give the rest of a call the terminal, in a process that has one: it is the script's own too."""
        if "PYTHONBREAKPOINT" not in os.environ:
            sys.breakpointhook = self._debug

    def _debug(self, *_: object, **__: object) -> None:
        import pdb  # here: only who debugs needs it

        self.close()
        pdb.Pdb().set_trace(sys._getframe(1))

    def printed(self) -> bool:
        """Whether the call has written anything; as it ends, in a process that is nothing but an engine."""
        c = self._c = self._c or lib_c()
        c.flush(None)
        stdout, stderr = self.streams  # seeking disturbs no writing, which appends
        return c.seek(stdout.log, 0, os.SEEK_END) != stdout.start or c.seek(stderr.log, 0, os.SEEK_END) != stderr.start

    def end(self) -> tuple[str, str]:
        """The call ended: what it wrote to stdout and stderr."""
        if self.always and not self.printed():
            return "", ""
        c = self._c = self._c or lib_c()
        c.flush(None)
        if not self.always:
            self.close()
        stdout, stderr = self.streams
        return stdout.all(), stderr.all()

    def rest(self) -> None:
        """No call runs: where only calls are redirected, nothing is."""
        if not self.always:
            self.close()

    def close(self) -> None:
        for stream in self.streams:
            stream.restore()

    def _redirect(self) -> None:
        for stream in self.streams:
            stream.redirect()


class LibC(NamedTuple):
    """Functions of C, called with the GIL held: they are quick, and handing the GIL over is not."""

    flush: Callable[[None], object]  # fflush
    seek: Callable[[int, int, int], int]  # lseek


def lib_c() -> LibC:
    import ctypes  # here: see Output

    library = ctypes.PyDLL(None)
    library.fflush.argtypes = [ctypes.c_void_p]
    library.lseek.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_int]
    library.lseek.restype = ctypes.c_long
    return LibC(library.fflush, library.lseek)
