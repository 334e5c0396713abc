"""The folder of a ledger: made, found and measured. Knows nothing of what is in the files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mpikernel.errors import LedgerError

DATA_NAME = "data.mdb"
MIB = 1 << 20

#: What must be free before a run begins; some 130,000 records.
FRESH_SPACE = 16 * MIB


def make_folder(folder: Path, fresh_space: int) -> None:
    """Make sure that there is a folder, with room on its file system; without room nothing is made."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    nearest = missing[-1].parent if missing else folder
    if not nearest.is_dir():
        raise LedgerError(f"{nearest} is in the way of the ledger in {folder} and not a folder; move it, or use another cluster directory")
    _check_space(nearest, folder, fresh_space)
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; what is in the files is somebody else's care."""
    with contextlib.suppress(OSError):  # some file systems cannot, and some folders may be passed through but not opened
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def free_bytes(place: Path) -> int | None:
    """What is free for us on the file system of an existing place; None where the file system does not say."""
    room = os.statvfs(place)
    return room.f_bavail * room.f_frsize if room.f_blocks else None


def _check_space(place: Path, folder: Path, fresh_space: int) -> None:
    free = free_bytes(place)
    if free is not None and free < fresh_space:
        raise LedgerError(
            f"no space for the ledger in {folder}: {free / MIB:.1f} MiB are free and a run needs {fresh_space / MIB:.0f} MiB to begin; "
            "make room, or use another cluster directory"
        )
