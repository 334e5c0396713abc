"""Standard input of a rank: mpiexec feeds rank 0 alone, and on others a read may block for ever.

So on other ranks the descriptor is at its end, and who reads `sys.stdin` there is told why there is nothing to read.
"""

from __future__ import annotations

import io
import os
import sys

from mpikernel.errors import UsageError


class NoInput(io.TextIOBase):
    """Stands for sys.stdin on a rank that has none."""

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0

    def read(self, size: int | None = -1, /) -> str:
        raise UsageError(
            "there is no standard input here: mpiexec gives it to rank 0 alone, and this is another rank; "
            "read a file instead, or start with --interfaces=0, which has the script run on rank 0"
        )

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # typeshed's is one of IOBase, for bytes
        return self.read()


def close_standard_input() -> None:
    """Done on every rank but 0."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = NoInput()
