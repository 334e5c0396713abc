"""How an exception travels: what it was, its traceback as text, and the exception itself if it can be rebuilt there; and what came before.

Twin functions: `describe` on the engine, `rebuild` at the client.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from mpikernel.errors import RemoteError, RemoteTraceback
from mpikernel.wire.payload import Frame, Frames, dump, load

#: Of the errors that came before an exception, its context and the context of that, so many travel.
BEFORE = 3

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def one_line(error: BaseException) -> str:
    """Type and text of an exception on one line, as the ledger keeps it."""
    text = sendable(" ".join(text_of(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def sendable(text: str) -> str:
    """A text that can stand in a message: lone surrogates, as names of files that are no UTF-8 have them, are spelled out."""
    return text.encode(errors="backslashreplace").decode()


def text_of(error: BaseException) -> str:
    """str(error), also where the user's exception fails at that."""
    try:
        return str(error)
    except BaseException as failure:
        return f"<its text cannot be had: {type(failure).__name__}>"


def describe(error: BaseException, place: str) -> Frames:
    """The frames of an exception that user code raised; `place` heads its traceback (engine, rank, host, function)."""
    import traceback  # here: engines start without it

    try:
        trace = "".join(traceback.format_exception(type(error), error, users_part(error.__traceback__)))
    except BaseException:  # whatever the user's exception does when it is shown
        trace = "".join(traceback.format_tb(users_part(error.__traceback__))) + f"{type(error).__name__}: {text_of(error)}\n"
    text = f"{place}\n{trace}"
    before = [(type(each).__name__, text_of(each), _pickled(each)) for each in _before(error)]
    return dump((type(error).__name__, text_of(error), text, _pickled(error), before))


def _pickled(error: BaseException) -> list[bytes] | None:
    """The frames of the exception itself; None if it cannot travel."""
    try:
        return [bytes(frame) for frame in dump(_portable(error), "the exception")] if isinstance(error, Exception) else None
    except BaseException:  # whatever the user's exception does when it is pickled
        return None


def _before(error: BaseException) -> Iterator[BaseException]:
    """Its context, and the context of that."""
    each = _context(error)
    for _ in range(BEFORE):
        if each is None:
            return
        yield each
        each = _context(each)


def put_before(first: BaseException, error: BaseException) -> None:
    """Have an error tell that another came first: as the context of it, or of the first in whose course it was raised."""
    last = [error, *_before(error)][-1]
    if last is not first and error is not first:
        _set_context(last, first)


def describe_from(error: Exception, place: str, trace: str) -> Frames:
    """The frames of an exception of ours that stands for one in code that cannot raise it: `trace` tells where that is."""
    text = f"{place}\n{trace}{one_line(error)}\n"
    return dump((type(error).__name__, str(error), text, _pickled(error), []))


def _portable(error: Exception) -> Exception:
    """The exception, or for one of MPI's its like with the error's class: MPI's error codes mean nothing in another process."""
    if type(error).__module__ == "mpi4py.MPI" and hasattr(error, "Get_error_class"):
        return type(error)(error.Get_error_class())
    return error


def users_part(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without our own frames at its head; all of it where there are only ours."""
    rest = trace
    while rest is not None and rest.tb_frame.f_code.co_filename.startswith(PACKAGE):
        rest = rest.tb_next
    return rest or trace


#: An exception's cause and context, also of one whose class has something to say about its attributes.
_set_cause: Any = vars(BaseException)["__cause__"].__set__
_set_context: Any = vars(BaseException)["__context__"].__set__
_context: Any = vars(BaseException)["__context__"].__get__


def rebuild(frames: Sequence[Frame], engine: int, earlier: int = 0) -> Exception:
    """The exception that `describe` described, its remote traceback as its cause.

    Args:
        earlier: how many frames at the end describe another, which was to be made good. It is the context of this one, and of its
            traceback, with which it is shown.
    """
    count = len(frames) - earlier
    name, text, trace, original, before = load(frames[:count], what="the description of an error")
    error, cause = _original(original, name, text, engine), RemoteTraceback(trace)
    _set_cause(error, cause)
    last = error
    for name, text, original in before:
        _set_context(last, _original(original, name, text, engine))
        last = _context(last)
    if earlier:
        first = rebuild(frames[count:], -1)
        put_before(first, error)
        _set_context(cause, first)
    return error


def _original(pickled: list[bytes] | None, name: str, text: str, engine: int) -> Exception:
    """The exception itself, or what stands for one that did not come. Nobody asks it whether it is true: its class may say no, or raise."""
    error = _unpickled(pickled)
    return RemoteError(name, text, engine) if error is None else error


def _unpickled(pickled: list[bytes] | None) -> Exception | None:
    """The exception itself; None if it is not an Exception (a SystemExit must not end the script) or cannot be rebuilt."""
    if pickled is None:
        return None
    try:
        error = load(pickled, what="the exception")
    except BaseException:  # whatever the user's exception does when it is rebuilt
        return None
    return error if isinstance(error, Exception) and _can_be_told(error) else None


def _can_be_told(error: Exception) -> bool:
    """Whether its text can be had: whoever prints it must not stumble over what is wrong with the user's exception."""
    try:
        return isinstance(str(error), str)
    except BaseException:
        return False
