"""ArrayFile: the name of an array that lies in a file. Nothing is opened by it, and it needs no h5py."""

from __future__ import annotations

import os

from msgspec import Struct
from msgspec.structs import replace

from mpikernel.errors import UsageError


class ArrayFile(Struct, frozen=True):
    """A dataset of an HDF5 file, in place of the array: `view.scatter("x", ArrayFile("data.h5", "measurements"))`.

    Attributes:
        path: the file; a relative path is looked for from the script's working directory.
        name: the dataset in it, such as "x" or "group/x".
    """

    path: str | os.PathLike[str]
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike) or not isinstance(self.name, str) or not self.name.strip("/"):
            raise UsageError(f"an ArrayFile has the path of a file and the name of a dataset in it, not {self.path!r} and {self.name!r}")

    @property
    def place(self) -> str:
        """The path as text."""
        return os.fspath(self.path)

    def absolute(self) -> ArrayFile:
        """The same, from whichever folder it is looked for."""
        return replace(self, path=os.path.abspath(os.path.expanduser(self.place)))
