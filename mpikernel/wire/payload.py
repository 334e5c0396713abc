"""What a user's objects become on the way: frames, the first of them a pickle (protocol 5), the others buffers that it names.

The buffers are views of the memory in which the user's arrays live; nothing here copies them (reducing.py), nor what is large
in the pickle itself (pieces.py). Only the client that makes a payload and the engine (or client) that it is for come here;
nobody in between does.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from mpikernel.errors import MissingNameError, SerializeError
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.functions import HERE, HomeUnpickler, explain, unpickler
from mpikernel.wire.pieces import PICKLE, PiecesFile, mentions, stream_frames, take_out
from mpikernel.wire.reducing import reducers

Frames = list[Frame]
Keep = Callable[[pickle.PickleBuffer], bool]

#: Below this many bytes a buffer is cheaper inside the pickle than as a frame of its own.
IN_BAND = 512
#: A pickle in which this stands needs more than plain pickle to be right on the other side.
BY_VALUE_MARK = b"__main__"
#: With this one, or that one, it may mean something else at home on an engine.
HERE_MARK = HERE.encode()
HOME_MARKS = (HERE_MARK, BY_VALUE_MARK)
#: A pickler is used again after streams up to this length (bytes): after longer ones, a new one is quicker than to have it forget.
SHORT = 1024
#: Values of just these types need no more than plain pickle, whose own call is several times as quick as all that is done for others.
NUMBERS = frozenset((int, float, complex, bool, type(None)))


def dump_call(args: tuple[Any, ...], kwargs: dict[str, Any], label: str) -> Frames:
    """As `dump` of both, which is what calls of this label are called with."""
    if not kwargs and NUMBERS.issuperset(map(type, args)):
        return [pickle.dumps((args, kwargs), 5)]
    return dump((args, kwargs), f"the arguments of {label}")


def dump(obj: Any, what: str = "object") -> Frames:
    """Make the frames of an object. Large ones are the object's own memory.

    Raises:
        SerializeError: naming `what` and the reason, as when there is no memory for what has to be copied.
    """
    if type(obj) in NUMBERS:
        return [pickle.dumps(obj, 5)]
    try:
        frames = _dump_plain(obj)
    except MemoryError as error:
        raise explain(error, f"{what} cannot be pickled ({_short(obj)})") from error
    except Exception:  # plain pickle cannot: the careful way says why, if it cannot either
        frames = None
    return _dump_by_value(obj, what) if frames is None else frames


def _dump_plain(obj: Any) -> Frames | None:
    """The frames that plain pickle makes; None if they hold something of the script, which it knows only by name."""
    written, buffers = _pickle(obj)
    stream = written[0]
    if len(written) == 1 and BY_VALUE_MARK not in stream and HERE_MARK not in stream:  # nearly always
        return [stream, *buffers]
    return None if mentions(written, BY_VALUE_MARK) else [*stream_frames(written, HOME_MARKS), *buffers]


def _pickle(obj: Any) -> tuple[list[Frame], list[memoryview]]:
    """What plain pickle writes, and the buffers beside it."""
    table = reducers()  # also of what has been imported since the pickler was made
    try:
        desk = _desks.pop()
    except IndexError:
        desk = Desk(_plain_pickler)
        desk.pickler.dispatch_table = table
    try:
        desk.pickler.dump(obj)
        written, buffers = desk.written[:], [buffer.raw() for buffer in desk.buffers] if desk.buffers else []
    finally:
        desk.clear()
    if len(written) == 1 and len(written[0]) <= SHORT:
        _desks.append(desk)
    return written, buffers


def _plain_pickler(file: Any, keep: Keep) -> pickle.Pickler:
    return pickle.Pickler(file, 5, buffer_callback=keep)


def _dump_by_value(obj: Any, what: str) -> Frames:
    from mpikernel.wire.by_value import ByValuePickler  # here: see there

    desk = Desk(ByValuePickler)
    try:
        desk.pickler.dump(obj)
        return [*stream_frames(desk.written, HOME_MARKS), *(buffer.raw() for buffer in desk.buffers)]
    except Exception as error:
        raise explain(error, f"{what} cannot be pickled ({_short(obj)})") from error
    finally:
        desk.clear()


class Desk:
    """A pickler, and what it has written: it is the pickler's file.

    They hold each other, so it must be cleared: objects would stay until the garbage collector comes, and where it finds a
    memoryview together with a PickleBuffer of it, Python crashes.
    """

    __slots__ = ("buffers", "pickler", "write", "written")

    def __init__(self, make: Callable[[Any, Keep], pickle.Pickler]) -> None:
        self.written: list[Frame] = []
        self.write = self.written.append
        self.buffers: list[pickle.PickleBuffer] = []
        self.pickler = make(self, self.keep)

    def keep(self, buffer: pickle.PickleBuffer) -> bool:
        """Whether a buffer stays in the pickle."""
        if memoryview(buffer).nbytes < IN_BAND:
            return True
        self.buffers.append(buffer)
        return False

    def clear(self) -> None:
        """Make it as new."""
        self.written.clear()
        self.buffers.clear()
        self.pickler.clear_memo()


#: Those at which nobody is. To make one takes longer than to pickle a few small things, so they are used again.
_desks: list[Desk] = []


def load(frames: Sequence[Frame], home: dict[str, Any] | None = None, what: str = "payload") -> Any:
    """Rebuild the object; arrays use the frames' memory, bytes are copied out of it.

    Args:
        frames: as `dump` made them, wherever they have been since. One that there was no memory for is `Missing`.
        home: the engine's namespace, on which the script's functions are to work.

    Raises:
        SerializeError: naming `what` and the reason, as when a module, or memory, is missing here.
        MissingNameError: a Reference in it names nothing.
    """
    there = all_there(frames, what)
    try:
        first = there[0]
        if first[0] == PICKLE:
            return pickle.loads(first, buffers=there[1:])
        return unpickler(there, home).load()
    except MissingNameError:
        raise
    except Exception as error:
        raise explain(error, f"{what} cannot be rebuilt here") from error


def load_short(frame: memoryview, home: dict[str, Any], what: str) -> Any:
    """As `load`, of one short frame that is there."""
    if frame[0] != PICKLE:
        return load((frame,), home, what)
    try:
        return pickle.loads(frame)
    except Exception as error:
        raise explain(error, f"{what} cannot be rebuilt here") from error


def load_many(data: Frame, ends: Sequence[int], what: str) -> list[Any]:
    """Rebuild objects of one frame each, which stand one after the other in `data`, up to `ends`."""
    view = memoryview(all_there((data,), what)[0])
    begins = (0, *ends[:-1])
    try:
        return [
            pickle.loads(view[begin:end]) if view[begin] == PICKLE else unpickler((view[begin:end],), None).load()
            for begin, end in zip(begins, ends, strict=True)
        ]
    except Exception as error:
        raise explain(error, f"{what} cannot be rebuilt here") from error


def load_function(frames: Sequence[Frame], home: dict[str, Any], what: str) -> tuple[Any, dict[str, Any]]:
    """Rebuild a function on an engine, and what it captured, to be established again before each call."""
    there = all_there(frames, f"the function {what}")
    try:
        stream = take_out(there)
        at_home = HomeUnpickler(PiecesFile(stream.pieces), stream.buffers, home)
        return at_home.load(), at_home.captured
    except Exception as error:
        raise explain(error, f"the function {what} cannot be found or rebuilt on the engine") from error


def size(frames: Sequence[Frame]) -> int:
    """Bytes in all frames, as they were sent."""
    return sum(frame.size if type(frame) is Missing else len(frame) for frame in frames)


def all_there(frames: Sequence[Frame], what: str) -> Sequence[Frame]:
    """The frames, if every one of them could be received.

    Raises:
        SerializeError: naming `what` and the reason.
    """
    for frame in frames:
        if type(frame) is Missing:
            raise SerializeError(f"{what} could not be received: {frame.decode()}")
    return frames


def _short(obj: Any) -> str:
    try:
        text = repr(obj)
    except Exception:
        text = object.__repr__(obj)
    return f"{type(obj).__name__} {text if len(text) <= 80 else text[:77] + '...'}"


__all__ = ["Frame", "Frames", "SerializeError", "all_there", "dump", "load", "load_function", "load_many", "size"]
