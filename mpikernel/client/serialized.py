"""Serialized: a payload made once, to be pushed many times; or one that was pulled, to be passed on as it came.

On its way to an engine it is part of another payload, as buffers; there it is opened when that one is rebuilt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pickle import PickleBuffer
from typing import Any

from mpikernel.client.state import Call
from mpikernel.errors import UsageError
from mpikernel.wire.envelope import Frame
from mpikernel.wire.functions import open_payload
from mpikernel.wire.memory import take
from mpikernel.wire.messages import Pull
from mpikernel.wire.payload import Frames, all_there, dump, load, size
from mpikernel.wire.pieces import take_out


class Serialized:
    """A value as it travels: `serialize` makes one, `pull_serialized` brings one, `push_serialized` sends it. `len` is its size in bytes.

    What `serialize` made refers to the memory of the value's arrays: what is written to them later is part of later pushes.
    """

    def __init__(self, frames: Sequence[Frame], what: str) -> None:
        self.frames = frames
        self.what = what  # for people

    def load(self) -> Any:
        """The value, made anew each time: its arrays share memory with no other value.

        Raises:
            SerializeError: it cannot be made here, as where a module or the memory is missing.
        """
        buffers = take_out(self.frames).buffers
        kept = self.frames[: len(self.frames) - len(buffers)]
        return load([*kept, *map(_copied, buffers)], what=self.what)

    def __len__(self) -> int:
        return size(self.frames)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.what}, {len(self)} bytes>"


def serialize(value: Any) -> Serialized:
    """Pickle a value now, to push it with `push_serialized` once or many times. Its arrays are not copied.

    Functions of the script go with what they name as it is now.

    Raises:
        SerializeError: it cannot be pickled; says why.
    """
    what = f"the serialized {type(value).__name__}"
    return Serialized(dump(value, what), what)


def _copied(frame: Frame) -> memoryview:
    copy = take(len(frame))
    copy[:] = frame
    return copy


class _Payload:
    """Pickled, a payload that was made before."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames

    def __reduce__(self) -> tuple[Any, ...]:
        return open_payload, tuple(map(PickleBuffer, self._frames))


def frames_of(values: Mapping[str, Any]) -> Frames:
    """The frames of a push of serialized values.

    Raises:
        UsageError: something is not Serialized.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"push_serialized takes a dict of names and Serialized values, not {type(values).__name__}")
    for name, value in values.items():
        if not isinstance(value, Serialized):
            advice = "wait for it with get(), or block=True" if isinstance(value, Future) else "use push, or serialize() it first"
            raise UsageError(f"what is to be pushed as {name} is not Serialized, but of type {type(value).__name__}: {advice}")
    return dump(tuple(_Payload(value.frames) for value in values.values()))


class Pulling:
    """A pull of names from engines that leaves what comes unopened: one call for each name and engine."""

    def __init__(self, names: Sequence[str], engines: Sequence[int], single: bool, bare: bool) -> None:
        self.targets = [engine for engine in engines for _ in names]
        self.one = single and bare  # the value is that of the one call
        self._names = names
        self._single = single
        self._bare = bare

    def ask(self, call: Call, index: int) -> tuple[Pull, Frames]:
        """The message of one call."""
        call.open_with = _unopened
        return Pull(call.id, (self._names[index % len(self._names)],), True), []

    def in_order(self, parts: list[Serialized]) -> Any:
        """What a pull of the same names gives."""
        if self._single:
            return parts
        count = len(self._names)
        rows = [parts[start : start + count] for start in range(0, len(parts), count)]
        return rows[0] if self._bare else rows


def _unopened(frames: Sequence[Frame], what: str) -> Serialized:
    return Serialized(all_there(frames, what), what)
