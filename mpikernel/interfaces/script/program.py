"""Runs the user's program as python would: `__main__`, `__file__`, sys.argv, sys.path and exit codes are what they are there."""

from __future__ import annotations

import io
import os
import runpy
import sys
import threading
from contextlib import suppress
from itertools import dropwhile, takewhile
from types import ModuleType, TracebackType

from mpikernel.config.launch import Program
from mpikernel.wire.failure import PACKAGE, users_part
from mpikernel.world.exit_codes import FAILED


def set_path(program: Program) -> None:
    """Make sys.path and sys.argv what they are under python; on every rank, so that engines can import what the script can."""
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    first = os.path.dirname(os.path.realpath(program.target)) if program.kind == "script" else os.getcwd()
    sys.path.insert(0, first)
    sys.argv = ["-c" if program.kind == "code" else program.target, *program.args]


def run_program(program: Program) -> int:
    """Run it to its end and return its exit code; exceptions are told on stderr as python tells them.

    Its own threads may finish as under python, but not after an exception: then everything is to end.
    """
    try:
        code = _run_to_exit(program)
        _join_threads()
        return code
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _tell(error)
        return FAILED
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):  # the program has closed or replaced it
                stream.flush()


def _run_to_exit(program: Program) -> int:
    """Run it until it ends or calls sys.exit, and return the exit code."""
    try:
        _run(program)
        return 0
    except SystemExit as end:
        return _code_of(end)


def _run(program: Program) -> None:
    if program.kind == "module":
        runpy.run_module(program.target, run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = ModuleType("__main__")
    vars(main)["__builtins__"] = sys.modules["builtins"]
    if program.kind == "code":
        source: bytes | str = program.target
        name = "<string>"
    else:
        main.__file__ = name = os.path.abspath(program.target)
        with io.open_code(name) as file:
            source = file.read()
    exec(compile(source, name, "exec", dont_inherit=True), vars(main))


def _join_threads() -> None:
    """Wait for the script's own threads, as python does before it exits: executors are told first, so that they let theirs go."""
    for tell in reversed(getattr(threading, "_threading_atexits", ())):  # private, but the only way to know them; harmless to call twice
        tell()
    while left := [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]:
        left[0].join()


def _code_of(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return FAILED


def _tell(error: BaseException) -> None:
    own: TracebackType | None = error.__traceback__
    if isinstance(error, SyntaxError):
        own = None if users_part(own) is own else users_part(own)
    sys.excepthook(type(error), error.with_traceback(users_part(own)), users_part(own))


def tell_interrupt(reason: str) -> None:
    """Say where the script was when the world's end interrupted it."""
    import traceback  # here: only a world that is interrupted needs it

    steps = traceback.extract_tb(sys.exc_info()[2])
    below_us = dropwhile(lambda step: step.filename.startswith(PACKAGE), steps)
    own = list(takewhile(lambda step: not step.filename.startswith(PACKAGE), below_us))
    place = f" at {own[-1].filename}:{own[-1].lineno}" if own else ""
    print(f"mpikernel: the script was interrupted{place}: {reason}", file=sys.stderr, flush=True)
