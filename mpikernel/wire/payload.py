"""What a user's objects become on the way: frames, the first a pickle (protocol 5), the others buffers that it names.

The buffers are views of the memory in which the user's arrays live; nothing here copies them. Only the client that makes
a payload and the engine (or client) that it is for come here; nobody in between does.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

from mpikernel.errors import SerializeError
from mpikernel.wire.functions import HERE, HomeUnpickler, explain

Frame = bytes | bytearray | memoryview
Frames = list[Frame]

#: Below this many bytes a writable buffer is cheaper inside the pickle than as a frame of its own.
IN_BAND = 512
#: A pickle in which one of these stands needs more than plain pickle to be right on the other side.
BY_VALUE_MARK = b"__main__"
HOME_MARKS = (HERE.encode(), BY_VALUE_MARK)


def dump(obj: Any, what: str = "object") -> Frames:
    """Make the frames of an object. The frames after the first are views of the object's own memory.

    Raises:
        SerializeError: naming `what` and the reason.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        stream = pickle.dumps(obj, 5, buffer_callback=_keep(buffers))
        if BY_VALUE_MARK not in stream:
            return [stream, *map(_flat, buffers)]
    except Exception:  # plain pickle cannot: the careful way says why, if it cannot either
        pass
    return _dump_by_value(obj, what)


def _dump_by_value(obj: Any, what: str) -> Frames:
    from mpikernel.wire.by_value import ByValuePickler  # here: see there

    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    try:
        ByValuePickler(file, _keep(buffers)).dump(obj)
    except Exception as error:
        raise explain(error, f"{what} cannot be pickled ({_short(obj)})") from error
    return [file.getvalue(), *map(_flat, buffers)]


def load(frames: Sequence[Frame], home: dict[str, Any] | None = None, what: str = "payload") -> Any:
    """Rebuild the object; arrays use the frames' memory.

    Args:
        frames: as `dump` made them, wherever they have been since.
        home: the engine's namespace, on which the script's functions are to work.

    Raises:
        SerializeError: naming `what` and the reason, as when a module is missing here.
    """
    try:
        if home is not None and _needs_home(frames[0]):
            return HomeUnpickler(io.BytesIO(frames[0]), frames[1:], home).load()
        return pickle.loads(frames[0], buffers=frames[1:])
    except Exception as error:
        raise explain(error, f"{what} cannot be rebuilt here") from error


def load_function(frames: Sequence[Frame], home: dict[str, Any], what: str) -> tuple[Any, dict[str, Any]]:
    """Rebuild a function on an engine, and what it captured, to be established again before each call."""
    unpickler = HomeUnpickler(io.BytesIO(frames[0]), frames[1:], home)
    try:
        return unpickler.load(), unpickler.captured
    except Exception as error:
        raise explain(error, f"the function {what} cannot be found or rebuilt on the engine") from error


def size(frames: Sequence[Frame]) -> int:
    """Bytes in all frames."""
    return sum(map(len, frames))


def _keep(buffers: list[pickle.PickleBuffer]) -> Any:
    def keep(buffer: pickle.PickleBuffer) -> bool:
        view = memoryview(buffer)
        if view.nbytes < IN_BAND and not view.readonly:
            return True
        buffers.append(buffer)
        return False

    return keep


def _flat(buffer: pickle.PickleBuffer) -> memoryview:
    """The bytes of a buffer, in C or Fortran order, as they lie."""
    return buffer.raw()


def _needs_home(stream: Frame) -> bool:
    data = bytes(stream)
    return any(mark in data for mark in HOME_MARKS)


def _short(obj: Any) -> str:
    try:
        text = repr(obj)
    except Exception:
        text = object.__repr__(obj)
    return f"{type(obj).__name__} {text if len(text) <= 80 else text[:77] + '...'}"


__all__ = ["Frame", "Frames", "SerializeError", "dump", "load", "load_function", "size"]
