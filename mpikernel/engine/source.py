"""What a frame is calling: the expression in the source, and what the names in it stand for. Runs none of the user's code.

Source that cannot be had, or does not fit, is no error: then nothing is known.
"""

from __future__ import annotations

import ast
import linecache
import operator
from collections.abc import Callable, Mapping
from itertools import islice
from types import FrameType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

#: Stands for a value that cannot be told without running code.
UNKNOWN = object()

#: How Python itself looks these up in a class: a metaclass of the user's is not asked.
_LINEAGE, _MODULE, _VARS = (vars(type)[name] for name in ("__mro__", "__module__", "__dict__"))

_ARITHMETIC: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}


def call_of(frame: FrameType) -> ast.Call | None:
    """The call that a frame is in, if its source can be had."""
    text = _segment(frame)
    try:
        node = ast.parse(f"({text})", mode="eval").body if text else None
    except (SyntaxError, ValueError):
        return None
    return node if isinstance(node, ast.Call) else None


def _segment(frame: FrameType) -> str:
    """The piece of source that a frame has come to."""
    nowhere = (None, None, None, None)
    first, last, begin, end = next(islice(frame.f_code.co_positions(), max(frame.f_lasti // 2, 0), None), nowhere)
    if first is None or last is None or begin is None or end is None:
        return ""
    name, space = frame.f_code.co_filename, frame.f_globals
    lines = [linecache.getline(name, number, space).encode() for number in range(first, last + 1)]
    if not lines:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    return b"".join(lines).decode(errors="replace")


def value_of(node: ast.expr, frame: FrameType) -> Any:
    """What an expression stands for, if it is a constant, a name, attributes of one, or arithmetic of such numbers."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return next((space[node.id] for space in (frame.f_locals, frame.f_globals, frame.f_builtins) if node.id in space), UNKNOWN)
        case ast.Attribute():
            return _attribute(value_of(node.value, frame), node.attr)
        case ast.UnaryOp(op=ast.USub()):
            return _computed(operator.sub, 0, value_of(node.operand, frame))
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            return _computed(_ARITHMETIC[type(node.op)], value_of(node.left, frame), value_of(node.right, frame))
    return UNKNOWN


def _attribute(value: Any, name: str) -> Any:
    """An attribute that is there, in the dict of a module or of another object. Descriptors of the user's might run code."""
    where: Any = next((names["__dict__"] for names in map(_VARS.__get__, lineage(type(value))) if "__dict__" in names), None)
    own: Any = where.__get__(value) if type(where) in (GetSetDescriptorType, MemberDescriptorType) else None
    return dict.get(own, name, UNKNOWN) if issubclass(type(own), dict) else UNKNOWN


def lineage(kind: type) -> tuple[type, ...]:
    """A class and those that it is made of."""
    found: tuple[type, ...] = _LINEAGE.__get__(kind)
    return found


def module_of(kind: type) -> str:
    """Where a class says that it was made; empty if it says something else."""
    name = _MODULE.__get__(kind)
    return name if type(name) is str else ""


def _computed(compute: Callable[[int, int], int], left: Any, right: Any) -> Any:
    if type(left) is not int or type(right) is not int:
        return UNKNOWN
    try:
        return compute(left, right)
    except ZeroDivisionError:
        return UNKNOWN
