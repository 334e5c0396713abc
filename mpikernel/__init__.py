"""mpikernel: an MPI-native batch parallel toolkit.

Importing it starts nothing: no MPI, no threads, no files. The names below are loaded when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mpikernel.arrays.array_file import ArrayFile as ArrayFile
    from mpikernel.client.balanced import LoadBalancedView as LoadBalancedView
    from mpikernel.client.client import Client as Client
    from mpikernel.client.dependent import depend as depend
    from mpikernel.client.dependent import require as require
    from mpikernel.client.direct import DirectView as DirectView
    from mpikernel.client.needs import Dependency as Dependency
    from mpikernel.client.pool import Pool as Pool
    from mpikernel.client.result import AsyncResult as AsyncResult
    from mpikernel.client.serialized import Serialized as Serialized
    from mpikernel.client.serialized import serialize as serialize
    from mpikernel.errors import CompositeError as CompositeError
    from mpikernel.wire.functions import Reference as Reference

_HOMES = {
    "ArrayFile": "mpikernel.arrays.array_file",
    "AsyncResult": "mpikernel.client.result",
    "Client": "mpikernel.client.client",
    "CompositeError": "mpikernel.errors",
    "Dependency": "mpikernel.client.needs",
    "DirectView": "mpikernel.client.direct",
    "LoadBalancedView": "mpikernel.client.balanced",
    "Pool": "mpikernel.client.pool",
    "Reference": "mpikernel.wire.functions",
    "Serialized": "mpikernel.client.serialized",
    "depend": "mpikernel.client.dependent",
    "require": "mpikernel.client.dependent",
    "serialize": "mpikernel.client.serialized",
}

__all__ = [
    "ArrayFile", "AsyncResult", "Client", "CompositeError", "Dependency", "DirectView", "LoadBalancedView", "Pool", "Reference",
    "Serialized", "__version__", "depend", "require", "serialize",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mpikernel' has no attribute {name!r}")
    from importlib import import_module  # here: it keeps `import mpikernel` free of everything

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
