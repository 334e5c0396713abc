"""In which call of MPI a thread sits, told from its frames and their source: C code that does not return leaves nothing else to see.

It knows no MPI: an object of mpi4py's is known by the name of its class, and `ids` tells whom a communicator joins.
"""

from __future__ import annotations

import ast
import os.path
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import takewhile
from types import FrameType
from typing import Any

from mpikernel.engine.mpi_calls import MANIFOLD, METHODS, Method
from mpikernel.engine.source import UNKNOWN, call_of, lineage, module_of, value_of
from mpikernel.wire.failure import PACKAGE, sendable
from mpikernel.wire.sitting import COLLECTIVE, Waits

#: The engines that a communicator (or what has one) joins, by their ranks in it; -1 for one that is no engine. None if it cannot tell.
Ids = Callable[[Any], Sequence[int] | None]

#: Names that mean nothing else: with them the object need not be known.
UNMISTAKABLE = frozenset(
    name for name, method in METHODS.items() if name[0].isupper() and (method.kind == COLLECTIVE or method.peer) and name not in MANIFOLD
)

#: As NumPy calls its types of integers.
NUMPY_INTEGERS = ("int8", "int16", "int32", "int64", "longlong", "uint8", "uint16", "uint32", "uint64", "ulonglong")


def frame_of(thread: int) -> FrameType | None:
    """Where a thread is in the user's code: the innermost frame that is not mpi4py's own."""
    frame = sys._current_frames().get(thread)
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "mpi4py":
        frame = frame.f_back
    return frame


def waits_of(frame: FrameType, own: int, ids: Ids) -> tuple[str, Waits] | None:
    """The call of MPI that a frame of engine `own` is in, as the user wrote it, and for whom it waits. None if it is in none."""
    call = call_of(frame)
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr not in METHODS:
        return None
    name, method = call.func.attr, METHODS[call.func.attr]
    owner = value_of(call.func.value, frame)
    known = owner is not UNKNOWN
    if not (is_of_mpi(owner) if known else name in UNMISTAKABLE):
        return None
    joined = ids(owner) if known else None
    what = sendable(f"{ast.unparse(call.func)}({'...' if call.args or call.keywords else ''})")
    return what, _waits(name, method, own, joined, _peer(call, method, frame))


def is_of_mpi(value: Any) -> bool:
    """Whether it is an object or a class of mpi4py's."""
    kind = value if issubclass(type(value), type) else type(value)
    return any(module_of(base) == "mpi4py.MPI" for base in lineage(kind))


def _peer(call: ast.Call, method: Method, frame: FrameType) -> int | None:
    """The rank that a call names; negative for any, None if it cannot be told."""
    if not method.peer:
        return -1
    named = [keyword.value for keyword in call.keywords if keyword.arg == method.peer]
    starred = any(isinstance(argument, ast.Starred) for argument in call.args) or any(keyword.arg is None for keyword in call.keywords)
    if starred:
        return None
    if len(call.args) > method.position:
        named = [call.args[method.position]]
    return _as_number(value_of(named[0], frame) if named else method.default)


def _as_number(value: Any) -> int | None:
    """An integer of Python's or NumPy's. Others may run code to say which they are."""
    if type(value) is int:
        return value
    numpy = sys.modules.get("numpy")
    kinds = [vars(numpy).get(name) for name in NUMPY_INTEGERS] if numpy is not None else []
    return int(value) if any(type(value) is kind for kind in kinds) else None


def _waits(name: str, method: Method, own: int, joined: Sequence[int] | None, peer: int | None) -> Waits:
    others = tuple(engine for engine in joined or () if engine >= 0 and engine != own)
    if method.kind == COLLECTIVE and not method.peer:
        return Waits(name, method.kind, others, bool(others), method.sure)
    if joined is None or peer is None or not 0 <= peer < len(joined):
        return Waits(name, method.kind, others, False, method.sure)
    if joined[peer] == own:  # the root, to whom all others send or who sends to them
        return Waits(name, method.kind, others, bool(others), False)
    return Waits(name, method.kind, (joined[peer],), joined[peer] >= 0, method.sure)


def place_of(frame: FrameType) -> str:
    """File and line of a frame, as people find them."""
    name = frame.f_code.co_filename
    return sendable(f"{name if name.startswith('<') else os.path.basename(name)}, line {frame.f_lineno}")


def trace_of(frame: FrameType) -> str:
    """How the user's code came to a frame, as a traceback shows it."""
    users = list(takewhile(lambda step: not step[0].f_code.co_filename.startswith(PACKAGE), traceback.walk_stack(frame)))
    steps = traceback.StackSummary.extract(iter(reversed(users)))
    return sendable("Traceback (most recent call last):\n" + "".join(steps.format()))
