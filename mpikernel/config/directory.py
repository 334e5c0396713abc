"""The cluster directory: the folder that holds all that one run needs and leaves. It knows where things lie, not what is in them."""

from __future__ import annotations

import os
from pathlib import Path

from mpikernel.errors import ConfigError

CURE = "make room for it, or choose another --cluster-dir"


class ClusterDirectory:
    """The folders of one cluster directory; none is there before `create` made it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))
        self.ledger = self.path / "ledger"  # LMDB; opened by rank 0 alone
        self.log = self.path / "log"  # a file for each rank
        self.results = self.path / "results"  # what is too big for the ledger
        self.security = self.path / "security"  # keys; for the owner's eyes only
        self.pid = self.path / "pid"  # who is running here

    def create(self) -> None:
        """Make what is missing; what is there stays as it is.

        Raises:
            ConfigError: a folder cannot be made or written; says which, and what is in the way.
        """
        for folder in (self.path, self.ledger, self.log, self.results, self.security, self.pid):
            _make(folder)
        _close_to_others(self.security)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"cannot make the folder {folder}: {_obstacle(folder)} is a file; {CURE}") from None
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}; {CURE}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write in the folder {folder}: permission denied, or a read-only file system; {CURE}")


def _obstacle(folder: Path) -> Path:
    """The first part of the path that is there and no folder."""
    return next(part for part in (*reversed(folder.parents), folder) if os.path.lexists(part) and not part.is_dir())


def _close_to_others(folder: Path) -> None:
    try:
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"cannot close {folder} to other users: {error.strerror}; {CURE}") from None
