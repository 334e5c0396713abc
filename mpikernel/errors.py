"""Every error that mpikernel raises, in one tree. Nothing else in the package defines an exception.

    MpikernelError                      everything below; catch this to catch us and nobody else
     |- UsageError (ValueError)         a command line or a call's arguments are wrong; nothing has been changed
     |- ConfigError (ValueError)        mpikernel.conf or the environment holds a value that its spec refuses
     |- LaunchError (RuntimeError)      the way the world was started cannot work
     |- OverdueError (RuntimeError)     ranks did not stop when the world ended, so it is aborted
     |- RankDiedError (RuntimeError)    a rank that the world cannot do without has died, so it is aborted
     |- CalledOffError (RuntimeError)   another rank, which says why, ends the world at once
     |- NoWorldError (RuntimeError)     a client was asked for outside any world
     |- NoEnginesError (LookupError)    a view names an engine that is not there, or no engine at all; or none is left for a task
     |- EngineDiedError (RuntimeError)  an engine's process ended while it had a call, or before one was made
     |   `- CrashLimitError             a task that has cost too many engines is given up
     |- SerializeError (TypeError)      an object cannot be pickled, or not be rebuilt where it is needed
     |- MissingNameError (NameError)    a Reference names something that is not there on the engine
     |- LedgerError (OSError)           the ledger cannot be opened, read or written
     |- ArrayFileError (OSError)        a file of arrays cannot be opened, read or written
     |- ClosedError (RuntimeError)      the client, or the world under it, is closed
     |- ProtocolError (RuntimeError)
     |   |- OurProtocolError            this rank was about to break the protocol: a defect in mpikernel
     |   `- PeerProtocolError           another rank broke it; names the rank
     |- TaskAborted (CancelledError)    the call was cancelled before it began, or interrupted, or the world ended before it could
     |- TaskTimeoutError (TimeoutError) a run of a task took longer than its timeout
     |- QueueTimeoutError (TimeoutError)
     |                                  a task did not begin within its queue_timeout
     |- TaskReject (RuntimeError)       raised by a task: this engine is not one for it, another may be
     |- EngineStuckError (RuntimeError) a call sits in MPI on its engine, and what it waits for will not come
     |- UnmetDependency (RuntimeError)  no engine takes a task; says why, for each
     |- ImpossibleDependency (RuntimeError)
     |                                  what a task is to run after, or where, has not come about and cannot any more
     |- PoolTimeoutError (multiprocessing.TimeoutError, TimeoutError)
     |                                  a result of a Pool is not there in time
     |- RemoteError (RuntimeError)      stands for an exception that could not be rebuilt here
     |- ItemsFailed                     how a task with several items ends some of which failed; only its row in the ledger shows it
     |- RemoteTraceback                 the cause of an exception that came from an engine: its traceback as text
     `- CompositeError (ExceptionGroup) what went wrong on several engines

TaskAborted and PoolTimeoutError are made when they are first asked for: their bases come from concurrent.futures and
multiprocessing, which engines need not import to start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import multiprocessing
    from concurrent.futures import CancelledError


class MpikernelError(Exception):
    """The root of the tree."""


class UsageError(MpikernelError, ValueError):
    """A command line or a call's arguments are wrong; nothing has been changed."""


class ConfigError(MpikernelError, ValueError):
    """A setting has a value that its spec refuses."""


class LaunchError(MpikernelError, RuntimeError):
    """The way the world was started cannot work."""


class OverdueError(MpikernelError, RuntimeError):
    """Ranks did not stop when the world ended, so it is aborted.

    Attributes:
        exit_code: what the world ends with all the same.
    """

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text, exit_code)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return str(self.args[0])


class RankDiedError(MpikernelError, RuntimeError):
    """A rank that the world cannot do without has died, so it is aborted. Names rank, role and host."""


class CalledOffError(MpikernelError, RuntimeError):
    """Another rank, which says why, ends the world at once."""


class NoWorldError(MpikernelError, RuntimeError):
    """A client was asked for outside any world."""


class NoEnginesError(MpikernelError, LookupError):
    """A view names an engine that is not there, or no engine at all."""


class EngineDiedError(MpikernelError, RuntimeError):
    """An engine's process ended while it had a call, or before one was made; names the engine, its rank and its host."""


class CrashLimitError(EngineDiedError):
    """A task was given up because each engine that ran it died, as often as `crash_limit` says; names them all."""


class SerializeError(MpikernelError, TypeError):
    """An object cannot be pickled, or cannot be rebuilt where it is needed."""


class MissingNameError(MpikernelError, NameError):
    """A Reference names something that is not there on the engine."""


class LedgerError(MpikernelError, OSError):
    """The ledger cannot be opened, read or written."""


class ArrayFileError(MpikernelError, OSError):
    """A file of arrays cannot be opened, read or written: it is missing, locked, forbidden, no HDF5, or the disk is full."""


class ClosedError(MpikernelError, RuntimeError):
    """The client, or the world under it, is closed."""


class TaskTimeoutError(MpikernelError, TimeoutError):
    """A run of a task took longer than its `timeout`, and was interrupted."""


class QueueTimeoutError(MpikernelError, TimeoutError):
    """A task did not begin within its `queue_timeout`, and was dropped."""


class TaskReject(MpikernelError, RuntimeError):
    """Raised by a task: this engine is not one for it. It is run on another, or here again later."""


class EngineStuckError(MpikernelError, RuntimeError):
    """A call was given up: it sits in MPI on its engine, and what it waits for there will not come; says in which call, and for whom.

    Nothing can interrupt it there, so its engine takes no other call until the one that it waits for comes to it after all.
    """


class UnmetDependency(MpikernelError, RuntimeError):
    """No engine takes a task; the text has each engine's reason."""


class ImpossibleDependency(MpikernelError, RuntimeError):
    """Another task, after which or where a task is to run, ended in a way that rules it out."""


class ProtocolError(MpikernelError, RuntimeError):
    """A message that nobody may send here and now."""


class OurProtocolError(ProtocolError):
    """This rank was about to break the protocol: a defect in mpikernel."""


class PeerProtocolError(ProtocolError):
    """Another rank broke the protocol.

    Attributes:
        rank: the rank that sent what nobody expects.
    """

    def __init__(self, rank: int, text: str) -> None:
        super().__init__(rank, text)
        self.rank = rank

    def __str__(self) -> str:
        return f"rank {self.rank}: {self.args[1]}"


if TYPE_CHECKING:

    class TaskAborted(MpikernelError, CancelledError):
        """The call was cancelled before it began, or interrupted, or the world ended before it could."""

    class PoolTimeoutError(MpikernelError, multiprocessing.TimeoutError, TimeoutError):
        """A result of a Pool is not there in time. It is multiprocessing's TimeoutError, and Python's own."""


#: The texts of the errors that are made late; those above are for type checkers.
_LATE = {
    "TaskAborted": "The call was cancelled before it began, or interrupted, or the world ended before it could.",
    "PoolTimeoutError": "A result of a Pool is not there in time. It is multiprocessing's TimeoutError, and Python's own.",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = type(name, _late_bases(name), {"__module__": __name__, "__doc__": _LATE[name]})
    return globals()[name]


def _late_bases(name: str) -> tuple[type[BaseException], ...]:
    if name == "TaskAborted":
        from concurrent.futures import CancelledError  # here and not above: 15 ms of imports that only clients need

        return MpikernelError, CancelledError
    import multiprocessing  # here and not above: only scripts with a Pool need it

    return MpikernelError, multiprocessing.TimeoutError, TimeoutError


class RemoteError(MpikernelError, RuntimeError):
    """Stands for an exception that could not be rebuilt here.

    Attributes:
        ename: name of the original type.
        evalue: the original's text.
        engine: the engine it was raised on.
    """

    def __init__(self, ename: str, evalue: str, engine: int = -1) -> None:
        super().__init__(ename, evalue, engine)
        self.ename = ename
        self.evalue = evalue
        self.engine = engine

    def __str__(self) -> str:
        text = self.evalue or ("was interrupted" if self.ename == "KeyboardInterrupt" else "")
        return f"{self.ename}: {text}" if text else self.ename


class ItemsFailed(MpikernelError):
    """How a task with several items ends when some of them failed: it brings the script what each of them raised.

    Attributes:
        values: one for each item, as frames, so that one which cannot be rebuilt costs no other one; None for those that failed.
        failures: of each that failed its index in the task, its exception as frames, and that in one line; in order.
    """

    def __init__(self, values: list[list[bytearray] | None], failures: list[tuple[int, list[bytes], str]]) -> None:
        super().__init__(values, failures)
        self.values = values
        self.failures = failures

    def __str__(self) -> str:
        return f"{len(self.failures)} of {len(self.values)} items failed, the first: {self.failures[0][2]}"


class RemoteTraceback(MpikernelError):
    """The cause of an exception that came from an engine; its text is the traceback there, headed by rank, host and function."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0]) if self.args else ""


class CompositeError(MpikernelError, ExceptionGroup[Exception]):
    """What went wrong on several engines, one exception for each that failed.

    Being an ExceptionGroup it can be taken apart with `except*`; `exceptions` holds the originals, whose
    `__cause__` is the remote traceback.

    Attributes:
        what: the call that failed.
        elist: one (ename, evalue, traceback text, engine id) for each failure, in target order.
    """

    what: str
    elist: list[tuple[str, str, str, int]]

    def __new__(cls, message: str, exceptions: Sequence[Exception], engines: Sequence[int] = ()) -> CompositeError:
        self = super().__new__(cls, f"{message}: {summary(exceptions, engines)}", exceptions)
        self.what = message
        where = list(engines) or [-1] * len(exceptions)
        self.elist = [(type(e).__name__, str(e), remote_text(e), i) for e, i in zip(exceptions, where, strict=True)]
        return self

    def __init__(self, message: str, exceptions: Sequence[Exception], engines: Sequence[int] = ()) -> None:
        super().__init__(message, exceptions)

    def derive(self, excs: Sequence[Exception]) -> ExceptionGroup[Exception]:  # type: ignore[override]  # typeshed wants a generic method
        return ExceptionGroup(self.message, excs)

    def __reduce__(self) -> tuple[object, ...]:
        return CompositeError, (self.what, tuple(self.exceptions), tuple(row[3] for row in self.elist)), vars(self)

    def print_tracebacks(self, excid: int | None = None, file: TextIO | None = None) -> None:
        """Print the remote traceback of failure number `excid`, or of every failure, equal ones once."""
        rows = self.elist if excid is None else [self.elist[excid]]
        for engines, (ename, evalue, text) in same_together(rows):
            print(f"[{places(engines)}] {ename}: {evalue}\n{text}", file=file or sys.stderr)

    def raise_exception(self, excid: int = 0) -> None:
        """Raise failure number `excid` as its original type."""
        if not 0 <= excid < len(self.exceptions):
            raise IndexError(f"there is no failure {excid}; there are {len(self.exceptions)}")
        raise self.exceptions[excid]


def remote_text(error: BaseException) -> str:
    """The traceback that came with an exception from an engine; empty if it did not come from one."""
    return str(error.__cause__).strip("\n") if isinstance(error.__cause__, RemoteTraceback) else ""


def same_together(rows: Sequence[tuple[str, str, str, int]]) -> list[tuple[list[int], tuple[str, str, str]]]:
    """Failures of equal type and text, told once: [(engines, (ename, evalue, first traceback))]."""
    told: dict[tuple[str, str], tuple[list[int], tuple[str, str, str]]] = {}
    for ename, evalue, text, engine in rows:
        told.setdefault((ename, evalue), ([], (ename, evalue, text)))[0].append(engine)
    return list(told.values())


def places(engines: Sequence[int]) -> str:
    """Engine ids as people read them; a call that ran on no engine has no place."""
    known = sorted({engine for engine in engines if engine >= 0})
    return ("engine " if len(known) == 1 else "engines ") + ", ".join(map(str, known)) if known else "no engine"


def summary(exceptions: Sequence[BaseException], engines: Sequence[int]) -> str:
    """One line that tells equal errors once."""
    where = list(engines) or [-1] * len(exceptions)
    rows = [(type(e).__name__, str(e), "", i) for e, i in zip(exceptions, where, strict=True)]
    return "; ".join(f"[{places(ids)}] {ename}: {evalue}" for ids, (ename, evalue, _) in same_together(rows))
