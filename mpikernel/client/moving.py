"""What a direct view does with data: push, pull, scatter, gather. Values go straight from here to the engines and back."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from mpikernel.arrays.hdf5 import file_of
from mpikernel.arrays.partition import BLOCKS, check_dist, partition
from mpikernel.client.files import save, scatter_file
from mpikernel.client.gathering import Gathering
from mpikernel.client.result import AsyncResult
from mpikernel.client.serialized import Pulling, Serialized, frames_of
from mpikernel.client.sharing import SharedPush
from mpikernel.client.state import Call
from mpikernel.client.view import View
from mpikernel.errors import UsageError
from mpikernel.wire.messages import Message, Pull, Push
from mpikernel.wire.payload import Frames, dump


class MovingView(View):
    """A view that addresses each engine by itself, as far as it moves data."""

    def push(self, values: Mapping[str, Any], block: bool | None = None, track: bool = True, share: bool = False) -> Any:
        """Bind names to values on every engine.

        With `share` the engines of a host have one copy of what is large in the values (buffers from 128 KiB on, see
        ``bulk_threshold``) in shared memory, instead of one each: it pays for large arrays that many engines read. Arrays arrive
        read-only; an engine that wants to change one copies it. The script's side copies once, to /dev/shm of its host; to each other
        host the values are sent once. The memory is free again when the last engine has let go of all that came with the push, or
        has died: within a second, for the next push of that size. New memory there takes a few times as long as copying.

        Args:
            values: by name.
            block: wait until they are there; the view's flag if None.
            track: results always know when arrays have left, see `AsyncResult.wait_for_send`; the word is here for who is used to it.
            share: one read-only copy for each host.

        Raises:
            UsageError: a name that cannot be one.
            SerializeError: a value cannot be pickled, or there is no room for it in /dev/shm; says how much there is.
        """
        if not isinstance(values, Mapping):
            raise UsageError(f"push takes a dict of names and values, not {type(values).__name__}")
        names = tuple(_name(name) for name in values)
        frames = dump(tuple(values.values()), f"what was to be pushed as {', '.join(names)}")
        if share:
            shared = SharedPush(self._port, names, frames, self._ids)
            if shared.worth_it:
                return self._blocked(shared.launch(AsyncResult(self._port, "push", self._bare), self._ids, ", ".join(names)), block)
        return self._push("push", names, [frames] * len(self), block)

    def update(self, values: Mapping[str, Any]) -> Any:
        """Same as `push`."""
        return self.push(values)

    def _push(self, kind: str, names: tuple[str, ...], frames: Sequence[Frames], block: bool | None) -> Any:
        result = AsyncResult(self._port, kind, self._bare)
        self._port.command(result, kind, ", ".join(names), self._ids, lambda call, index: (Push(call.id, names), frames[index]), frames)
        return self._blocked(result.launched(), block)

    def pull(self, names: str | Sequence[str], block: bool | None = None) -> Any:
        """The values of a name, of a dotted name, or (as a list) of several."""
        single = isinstance(names, str)
        asked = _asked(names)
        result = self._simple("pull", ", ".join(asked), lambda call: Pull(call.id, asked, single))
        return self._blocked(result, block)

    def push_serialized(self, values: Mapping[str, Serialized], block: bool | None = None) -> Any:
        """Bind names to values that were serialized before, without pickling them again.

        Args:
            values: what `serialize` made or `pull_serialized` brought, by name.
            block: wait until they are there; the view's flag if None.

        Raises:
            UsageError: something is not Serialized.
        """
        frames = frames_of(values)
        return self._push("push", tuple(map(_name, values)), [frames] * len(self), block)

    def pull_serialized(self, names: str | Sequence[str], block: bool | None = None) -> Any:
        """As `pull`, but the values stay as they came, to be passed on with `push_serialized` or opened with their `load`."""
        asked = _asked(names)
        pulling = Pulling(asked, self._ids, isinstance(names, str), self._bare)
        result = AsyncResult(self._port, f"pull {', '.join(asked)}", pulling.one, pulling.in_order)
        self._port.command(result, "pull", ", ".join(asked), pulling.targets, pulling.ask)
        return self._blocked(result.launched(), block)

    def get(self, name: str) -> Any:
        """The value of a name; waits for it."""
        return self.pull(name, block=True)

    def __getitem__(self, name: str) -> Any:
        """view['x']: the value of x, waited for."""
        return self.pull(name, block=True)

    __iter__ = None  # its items are names, not numbers
    __contains__ = None

    def __setitem__(self, name: str, value: Any) -> None:
        """view['x'] = value: push it, and wait until it is there."""
        self.push({name: value}, block=True)

    def scatter(
        self, name: str, sequence: Any, dist: str = BLOCKS, flatten: bool = False, block: bool | None = None, track: bool = True
    ) -> Any:
        """Cut a sequence into one part for each engine and bind `name` to the part.

        Blocks of an array go out from the array's own memory. Parts whose items do not lie side by side, which are those dealt
        round-robin and the blocks of an array in Fortran's order, are copied here first: while they are sent, that takes the memory of
        one more array.

        Args:
            name: what the part is called there.
            sequence: an array (cut along its first axis), a list, or any other finite iterable. An `ArrayFile`, or an open h5py
                dataset, is not read here: each engine reads its own part from the file.
            dist: 'b' for blocks, 'r' for round-robin. The first n % q parts get one item more.
            flatten: bind the bare item where a part has just one.
            block: wait until it is there; the view's flag if None.
            track: as in `push`.

        Raises:
            UsageError: `sequence` cannot be cut. For a file it is the engines' error, as is an ArrayFileError: see `result`.
        """
        names = (_name(name),)
        source = file_of(sequence)
        if source is not None:
            return scatter_file(self, names[0], source, dist, flatten, block)
        if hasattr(sequence, "keys"):
            raise UsageError(
                f"{type(sequence).__name__} is no sequence of rows: scatter an array, such as frame.to_numpy() or file['name']"
            )
        parts = partition(sequence, len(self), dist)
        bare = [part[0] if flatten and len(part) == 1 else part for part in parts]
        frames = [dump((part,), f"what was to be scattered as {name}") for part in bare]
        return self._push("scatter", names, frames, block)

    def gather(self, name: str, dist: str = BLOCKS, block: bool | None = None) -> Any:
        """The parts of a name put together again, in target order: arrays to one array, lists to one list.

        Large parts of an array land in their places in it, so it needs no memory but its own; dealt round-robin, or in Fortran's
        order, they come one after the other and are copied into it. Arrays of different types become what numpy's concatenate
        makes of them, in memory for both.

        Args:
            name: what the parts are called there; may have dots.
            dist: how they were dealt: 'b' in blocks, of any lengths; 'r' round-robin.
            block: wait for it; the view's flag if None.

        Raises:
            UsageError: the parts do not fit together; says which engine has what.
            SerializeError: there is no memory for the whole here.
            CompositeError: an engine does not have the name, and whatever else went wrong there.
        """
        check_dist(dist)
        name = _dotted(name)
        gathering = Gathering(self._port, name, dist)
        result = AsyncResult(self._port, f"gather {name}", False, gathering.together)
        self._port.command(result, "gather", name, self._ids, lambda call, _index: gathering.ask(call))
        return self._blocked(result.launched(), block)

    def save(self, name: str, path: str | PathLike[str], dataset: str | None = None, overwrite: bool = False, **options: Any) -> None:
        """Write the parts of a name into one dataset of an HDF5 file, along the first axis in target order; waits for it.

        Each engine writes its own part, one after the other. Numbers and lists count as arrays, and a bare number as one row.

        Args:
            name: what the parts are called there; may have dots.
            path: the file. One that is there is kept and added to; it is replaced only when everything has been written.
            dataset: its name in the file, with groups such as "run1/x" if you like; as `name` if None.
            overwrite: replace a dataset of this name.
            options: for h5py's create_dataset: compression, chunks, maxshape, dtype and more.

        Raises:
            UsageError: the parts do not fit together (says which engine has what), or the dataset is there or cannot be made so.
            ArrayFileError: the file is locked or no HDF5, a folder is missing, there is no permission or no room.
            CompositeError: these and what else went wrong, where it did on several engines.
        """
        save(self, _dotted(name), path, dataset, overwrite, options)

    def _simple(self, kind: str, label: str, make: Callable[[Call], Message]) -> AsyncResult:
        """Send every engine a message without frames."""
        result = AsyncResult(self._port, f"{kind} {label}".rstrip(), self._bare)
        self._port.command(result, kind, label, self._ids, lambda call, _index: (make(call), ()))
        return result.launched()


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot be a name on an engine: it must be a Python identifier, and no keyword")
    return str(name)  # numpy's strings are strs too, but cannot travel as names


def _asked(names: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        return (_dotted(names),)
    return tuple(map(_dotted, names))


def _dotted(name: Any) -> str:
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(
            f"{name!r} names nothing on an engine: give a name, such as 'x' or 'model.weights'; engines are client[0], client[1:]"
        )
    return str(name)
