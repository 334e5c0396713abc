"""What user code finds on the engine that it runs on: `from mpikernel import engine`.

    engine.id           this engine's number, 0 .. size - 1
    engine.size         how many engines the world has
    engine.comm         an mpi4py communicator of the engines alone; rank in it == id
    engine.properties   a dict of the engine's own: "rank" in the world, "host", "pid", and what the user puts there

Anywhere else these names raise NoWorldError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpikernel.errors import NoWorldError

if TYPE_CHECKING:
    from mpi4py import MPI

    id: int
    size: int
    comm: MPI.Intracomm
    properties: dict[str, Any]

_NAMES = ("id", "size", "comm", "properties")


def introduce(**own: Any) -> None:
    """Tell this process which engine it is; done once, at boot."""
    globals().update(own)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        raise NoWorldError(
            f"mpikernel.engine.{name} is there only in code that runs on an engine: call it through a view, as in view.apply(f)"
        )
    raise AttributeError(f"module 'mpikernel.engine' has no attribute {name!r}")
