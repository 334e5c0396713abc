"""Arrays in HDF5 files: reading a part, and building one dataset out of parts. What grows row by row is in growing.py.

The only module that knows h5py, and imported everywhere: so h5py and numpy are imported when a file is really used.
Engines run these functions, which they find by name; what the client does is in client/files.py.

A file that is written is made beside the one that it is for, and takes its place when it is whole: no failure damages
a file that was there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from mpikernel.arrays.array_file import ArrayFile
from mpikernel.arrays.disk import Disk, Saver, lock, turn
from mpikernel.arrays.partition import ROUND_ROBIN, bounds
from mpikernel.errors import ArrayFileError, UsageError

#: How many names an error lists.
LISTED = 20

#: Options of create_dataset that are not the user's.
DECIDED = ("shape", "data")

#: What tells a file from what others have made of it: inode, time of the last change (ns) and length; None for one that is not there.
State = tuple[int, int, int] | None

#: From this version of its superblock on a file says that it is being written, and refuses to be opened if nobody takes that back.
MARKED = 3

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


# opening ----------------------------------------------------------------------------------------------------------------


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """An h5py.File that is open for reading. What goes wrong with it, inside the block too, is an ArrayFileError."""
    import h5py  # here, as everywhere in this file: see its head

    with told(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def writable(path: str, new: bool = False) -> Iterator[tuple[Any, Disk]]:
    """An h5py.File to write to, and what it is on. It is whole when the block has been left without an error.

    New ones are of the oldest format: those of the newest refuse to be opened after who wrote them was killed.
    """
    import h5py  # here: see the file's head

    with told(path), Disk(path, new) as disk, h5py.File(disk, "w" if new else "r+", libver="earliest") as file:
        yield file, disk


@contextmanager
def told(path: str) -> Iterator[None]:
    """Inside, what the system or HDF5 say about a file becomes an ArrayFileError that people understand."""
    try:
        yield
    except ArrayFileError:
        raise
    except (OSError, RuntimeError) as error:  # h5py has RuntimeErrors for what goes wrong when a file is closed
        raise ArrayFileError(_sentence(path, error)) from error


def _sentence(path: str, error: Exception) -> str:
    number, text = getattr(error, "errno", None), " ".join(str(error).split())
    if number == errno.ENOENT:
        folder = os.path.dirname(path)
        return f"there is no file {path}" if os.path.isdir(folder) else f"there is no folder {folder} for {os.path.basename(path)}"
    if number in FORBIDDEN:
        return f"no permission for {path}: {os.strerror(number)}"
    if number in FULL:
        return f"no room for {path}: {os.strerror(number)}"
    if number == errno.EISDIR:
        return f"{path} is a folder"
    if number == errno.EAGAIN or "already open for" in text:
        return f"{path} is locked: it is open for writing elsewhere, perhaps in the script; close it there, or open it with mode 'r'"
    if "signature not found" in text:
        return f"{path} is not an HDF5 file"
    return f"{path}: {text}"


def find_dataset(file: Any, name: str) -> Any:
    """A dataset that can be cut along its first axis.

    Raises:
        UsageError: there is none of this name, and which there are; or it has no axis to cut.
    """
    import h5py  # here: see the file's head

    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        group = ", which is a group" if name in file else ""
        raise UsageError(f"{file.filename} has no dataset {name!r}{group}; it has {_names(file)}")
    if not dataset.shape:  # () or, for an empty one, None
        raise UsageError(f"{name!r} in {file.filename} has 0 dimensions: it has no first axis to cut; push its value instead")
    return dataset


def _names(file: Any) -> str:
    """The datasets of a file, as an error lists them."""
    names: list[str] = []

    def note(name: str, item: Any) -> bool | None:
        if hasattr(item, "shape"):
            names.append(name)
        return True if len(names) > LISTED else None  # which ends the visit

    file.visititems(note)
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "") if names else "none"


def file_of(sequence: Any) -> ArrayFile | None:
    """Where a sequence lies, if it is an ArrayFile or an open h5py dataset; None for anything else.

    What the script has written to a dataset is in the file after this.

    Raises:
        UsageError: a dataset that no other process can open.
    """
    if isinstance(sequence, ArrayFile):
        return sequence.absolute()
    h5py = sys.modules.get("h5py")  # who has a dataset has imported it
    if h5py is None or not isinstance(sequence, h5py.Dataset):
        return None
    if not sequence or sequence.name is None:
        raise UsageError("the dataset cannot be found by engines: its file is closed, or it has no name")
    file = sequence.file
    if file.driver != "sec2":
        raise UsageError(
            f"engines cannot open {file.filename}, which h5py has by its driver {file.driver!r}: scatter the array, dataset[:]"
        )
    if file.mode != "r":
        with told(file.filename):
            file.flush()
    return ArrayFile(file.filename, sequence.name).absolute()


# reading a part ---------------------------------------------------------------------------------------------------------


def bind_part(space: dict[str, Any], name: str, source: ArrayFile, cut: tuple[int, int, str], flatten: bool) -> None:
    """Read a part of a dataset, and bind a name of the engine's namespace to it; to the bare item where `flatten` asks for that."""
    part = read_part(source, *cut)
    space[name] = part[0] if flatten and len(part) == 1 else part


def read_part(source: ArrayFile, index: int, parts: int, dist: str) -> Any:
    """Part `index` of `parts` of a dataset, as `partition` cuts arrays: a fresh array, into which HDF5 reads without another copy."""
    import numpy  # here: see the file's head

    with opened(source.place) as file:
        dataset = find_dataset(file, source.name)
        length = len(dataset)
        rows = slice(index, length, parts) if dist == ROUND_ROBIN else slice(*bounds(length, parts)[index])
        part = numpy.empty((len(range(length)[rows]), *dataset.shape[1:]), dataset.dtype)
        if part.size:
            dataset.read_direct(part, rows)
        return part


# building one dataset out of parts --------------------------------------------------------------------------------------


def measure(space: dict[str, Any], variable: str) -> tuple[tuple[int, ...], Any]:
    """(shape, dtype) of what an engine has under a name."""
    part = _array(space, variable)
    return part.shape, part.dtype


def _array(space: dict[str, Any], variable: str) -> Any:
    """What an engine has under a name (with dots, perhaps) as an array; a number stands for its one row.

    Raises:
        NameError, AttributeError: there is no such name.
        UsageError: it is no array, or one that HDF5 would not keep whole.
    """
    import numpy  # here: see the file's head

    value = eval(variable, space)
    if isinstance(value, numpy.ma.MaskedArray):
        raise UsageError(f"{variable} is a masked array, and HDF5 has no masks: save its data and its mask")
    try:
        return numpy.atleast_1d(value)
    except ValueError as error:
        raise UsageError(f"{variable} is no array, but a {type(value).__name__}: {error}") from None


def checked_target(path: str | os.PathLike[str], name: str, options: Mapping[str, Any]) -> tuple[str, str]:
    """The absolute path of a file to write, behind symbolic links, and the name of the dataset in it.

    Raises:
        UsageError: these are none, or an option is not the user's to give.
    """
    spot = ArrayFile(path, name).absolute()
    for option in DECIDED:
        if option in options:
            raise UsageError(f"{option}= cannot be given: it is what is written that decides")
    return os.path.realpath(spot.place), spot.name


@contextmanager
def saving(target: str) -> Iterator[str]:
    """Wait until nobody else saves to a file, and keep others from it inside.

    Gives:
        where to build what is to take its place. Nothing is left there when the block is left.

    Raises:
        ArrayFileError: another process does not stop saving to it, or it is open for writing, or nothing can be written beside it.
    """
    saver = Saver.new()
    partial = saver.partial(target)
    with ExitStack() as held:
        if os.path.isdir(os.path.dirname(target)):  # or else only engines can tell, of another host perhaps
            with told(target):
                held.enter_context(turn(target, saver))
        try:
            yield partial
        finally:
            with suppress(OSError):
                os.remove(partial)


def state_of(target: str) -> State:
    """By what it is seen whether others have changed a file."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def check_survives(target: str) -> None:
    """Refuse a file that could not be opened any more if its writer was killed."""
    with opened(target) as file:
        if file.id.get_create_plist().get_version()[0] >= MARKED:
            raise UsageError(f"{target} is of HDF5's newest format, which cannot be opened any more after a kill: take a file of its own")


def is_filtered(dataset: Any) -> bool:
    """Whether its chunks are compressed or otherwise not of one size."""
    return bool(dataset.id.get_create_plist().get_nfilters())


def begin(target: str, partial: str, name: str, overwrite: bool, shape: Sequence[int], dtype: Any, options: Mapping[str, Any]) -> State:
    """Begin the file that is to take the place of `target`: what that holds, and a new dataset, still empty.

    Returns:
        what `target` was then, for who puts the other in its place.

    Raises:
        UsageError: the dataset is there already, or cannot be made so.
        ArrayFileError: what `target` is or where it lies forbids it.
    """
    seen = state_of(target)
    kept = look_at(target, name, overwrite)
    with told(partial):
        if kept:
            shutil.copy(target, partial)
        with writable(partial, new=not kept) as (file, _):
            if name in file:
                del file[name]
            make_dataset(file, name, target, {"shape": tuple(shape), "dtype": dtype, **options})
        if os.path.exists(target):
            shutil.copymode(target, partial)
    return seen


def look_at(target: str, name: str, overwrite: bool) -> bool:
    """Whether `target` is there and holds something beside the dataset that is to be written. It is not changed.

    Raises:
        UsageError, ArrayFileError: as `begin`.
    """
    if not os.path.exists(target):
        if not os.path.isdir(os.path.dirname(target)):
            raise ArrayFileError(f"there is no folder {os.path.dirname(target)} for {os.path.basename(target)}")
        return False
    with told(target), open(target, "rb") as raw:
        lock(raw.fileno(), fcntl.LOCK_SH)  # HDF5 does not heed the locks of its own process, as in a world of one
    with opened(target) as file:
        if name in file and not hasattr(file[name], "shape"):
            raise UsageError(f"{name!r} in {target} is a group, which is not overwritten; it has {_names(file[name])}")
        if name in file and not overwrite:
            raise UsageError(f"{target} has {name!r} already: choose another name, or overwrite=True")
        if not os.access(target, os.W_OK):
            raise ArrayFileError(f"no permission to write to {target}")
        return bool(set(file) - {name} or len(file.attrs))


def make_dataset(file: Any, name: str, target: str, options: Mapping[str, Any]) -> Any:
    """A new dataset. `target` is what errors call the file."""
    try:
        return file.create_dataset(name, **options)
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"{name!r} cannot be made in {target}: {_advice(str(error))}") from error


def _advice(text: str) -> str:
    """What h5py says of its options, for people who do not know its inside."""
    if "unexpected keyword argument" in text:
        return f"h5py's create_dataset has no option {text.split()[-1]}"
    return f"{text}; HDF5 has no such type: save a view of it, such as x.view('i8')" if "No conversion path" in text else text


def write_part(space: dict[str, Any], variable: str, partial: str, name: str, start: int) -> None:
    """Write an engine's part into its place; nobody else may have the file open."""
    part = _array(space, variable)
    if not len(part):
        return
    with writable(partial) as (file, _):
        file[name][start : start + len(part)] = part


def finish(target: str, partial: str, seen: State) -> None:
    """Let the file that was built take the place of `target`, once it is on the disk. Errors as `put_in_place`."""
    settle(partial)
    put_in_place(target, partial, seen)


def settle(path: str) -> None:
    """Wait until a file is on the disk."""
    with told(path), open(path, "rb") as file:
        os.fsync(file.fileno())


def put_in_place(target: str, partial: str, seen: State) -> None:
    """Let the file that was built take the place of `target`, as far as the processes of this machine can see.

    Raises:
        ArrayFileError: `target` is not what `begin` saw any more. It stays as it is.
    """
    with told(target):
        if state_of(target) != seen:
            raise ArrayFileError(f"{target} has been changed by another program meanwhile, and stays as that left it: save again")
        os.replace(partial, target)
