"""Functions that are only for some engines: `depend` on a condition, `require` modules and names.

What these decorators make travels to engines, where this module is imported: it takes nothing with it. There the condition is seen to
before each call; if it is not met, `TaskReject` says why, and a task goes to another engine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from types import ModuleType
from typing import Any

from mpikernel.errors import TaskReject, UsageError
from mpikernel.wire.functions import Reference

#: On an engine this is its namespace.
NAMESPACE = "globals()"


class Dependent:
    """A function behind a condition, which raises TaskReject if it is not met."""

    def __init__(self, function: Callable[..., Any], condition: Callable[[str], object]) -> None:
        update_wrapper(self, function)
        self.function = function
        self.condition = condition

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.condition(_name_of(self.function))
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{_name_of(self.function)}, on {self.condition!r}>"


class Condition:
    """That a function does not give False. None is no objection."""

    def __init__(self, check: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.check = check
        self.args = args
        self.kwargs = kwargs

    def __call__(self, name: str) -> None:
        answer = self.check(*self.args, **self.kwargs)
        if answer is not None and not answer:
            raise TaskReject(f"{name} does not run here: {self!r} gave {answer!r}")

    def __repr__(self) -> str:
        said = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"{_name_of(self.check)}({', '.join(said)})"


class Requirement:
    """That modules can be imported; they and other objects are then in the namespace, under their names.

    The namespace is an engine's own where this is unpickled on one, else that of the script.
    """

    def __init__(self, modules: tuple[str, ...], objects: dict[str, Any], space: Any = None) -> None:
        self.modules = modules
        self.objects = objects
        self.space = space

    def __call__(self, name: str) -> None:
        space = self.space if isinstance(self.space, dict) else vars(sys.modules["__main__"])
        for module in self.modules:
            try:
                exec(f"import {module}", space)
            except ImportError as error:
                raise TaskReject(f"{name} does not run here: it requires {module}, and {type(error).__name__}: {error}") from error
        space.update(self.objects)

    def __repr__(self) -> str:
        return ", ".join([*self.modules, *self.objects])

    def __reduce__(self) -> tuple[Any, ...]:
        return Requirement, (self.modules, self.objects, Reference(NAMESPACE))


def depend(check: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], Dependent]:
    """Decorate a function that is only for engines on which check(*args, **kwargs) does not give False.

    It is called there before each call of the function. If it gives False (or 0, or what else is false, but not None), the call raises
    TaskReject: a task is then run by another engine, or by this one later. What it raises itself is an error of the call.

    Raises:
        UsageError: `check` cannot be called.
    """
    if not callable(check):
        raise UsageError(f"depend({check!r}) is no condition: it is a function, and what that is called with")
    return lambda function: _dependent(function, Condition(check, args, kwargs))


def require(*needed: Any, **objects: Any) -> Callable[[Callable[..., Any]], Dependent]:
    """Decorate a function that needs modules, functions or other objects in the engine's namespace.

    Before each call modules are imported there, as by `import`, and objects bound to their names. If a module cannot be imported, the
    call raises TaskReject: a task is then run by another engine.

    Args:
        needed: names of modules (``"scipy.linalg"``), modules, or what has a name: functions and classes.
        objects: others, under the names that they are to have.

    Raises:
        UsageError: something has no name.
    """
    modules, named = [], dict[str, Any]()
    for each in needed:
        if isinstance(each, str | ModuleType):
            modules.append(_module(each if isinstance(each, str) else each.__name__))
        elif isinstance(getattr(each, "__name__", None), str) and each.__name__.isidentifier():
            named[each.__name__] = each
        else:
            raise UsageError(f"require({each!r}): it has no name that it could have on engines; say require(name=...)")
    return lambda function: _dependent(function, Requirement(tuple(modules), named | objects))


def _module(name: str) -> str:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"require({name!r}): that is no name of a module")
    return name


def _dependent(function: Any, condition: Callable[[str], object]) -> Dependent:
    if not callable(function):
        raise UsageError(f"{function!r} is no function that could be decorated")
    return Dependent(function, condition)


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))
