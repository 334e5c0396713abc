"""Functions are pickled once as long as nothing that they are made of has changed, and anew as soon as something has."""

from __future__ import annotations

import functools
import operator
import textwrap
import types
from collections.abc import Callable
from typing import Any

import pytest

from mpikernel.client import pickled
from mpikernel.client.pickled import PickledFunctions
from mpikernel.errors import SerializeError
from mpikernel.wire.functions import new_namespace
from mpikernel.wire.payload import load_function


def script(source: str) -> dict[str, Any]:
    """The names of a user's script."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(source), space)
    return space


def there(functions: PickledFunctions, function: Any) -> Any:
    """The function as an engine has it."""
    return load_function(functions.get(function, "f").frames, new_namespace(), "f")[0]


PLAIN = """
    import math
    factor, names = 2, ("a", "b")
    def inner(x):
        return factor * x
    def f(x, offset=1):
        return inner(x) + offset + math.floor(0.5) + len(names)
"""


def test_it_is_pickled_once_while_nothing_changes() -> None:
    functions, space = PickledFunctions(), script(PLAIN)
    first = functions.get(space["f"], "f")
    assert functions.get(space["f"], "f") is first
    assert functions.get(operator.add, "add").frames == functions.get(operator.add, "add").frames
    assert there(functions, space["f"])(3) == 9


def set_name(space: dict[str, Any]) -> None:
    space["factor"] = 3


def redefine(space: dict[str, Any]) -> None:
    exec("def inner(x): return factor * x + 1", space)


def set_default(space: dict[str, Any]) -> None:
    space["f"].__defaults__ = (5,)


def set_code(space: dict[str, Any]) -> None:
    space["f"].__code__ = (lambda x, offset=1: -x).__code__


def delete_name(space: dict[str, Any]) -> None:
    del space["names"]
    space["len"] = lambda names: 0
    space["names"] = ()


@pytest.mark.parametrize("change", [set_name, redefine, set_default, set_code, delete_name])
def test_it_is_pickled_anew_when_something_has_changed(change: Callable[[dict[str, Any]], None]) -> None:
    functions, space = PickledFunctions(), script(PLAIN)
    before = functions.get(space["f"], "f")
    change(space)
    after = functions.get(space["f"], "f")
    assert after.digest != before.digest
    assert there(functions, space["f"])(3) == space["f"](3)


def test_a_value_that_goes_from_one_name_to_another_is_a_change() -> None:
    functions = PickledFunctions()
    space = script("""
        first = "value"
        def f():
            try:
                return first
            except NameError:
                return second + "2"
    """)
    assert there(functions, space["f"])() == "value"
    space["second"] = space.pop("first")
    assert there(functions, space["f"])() == "value2"


CHANGING = """
    import functools
    items = [1]
    class Holder:
        value = 1
    holder = Holder()
    def listed():
        return items[0]
    def held():
        return holder.value
    def of_class():
        return Holder.value
    def closed():
        box = [1]
        return (lambda: box[0]), box
    of_closure, box = closed()
    def with_attribute():
        return with_attribute.value
    with_attribute.value = 1
    def keywords(*, value=[1]):
        return value[0]
    @functools.wraps(listed)
    def wrapped():
        return listed()
"""


@pytest.mark.parametrize("name", ["listed", "held", "of_class", "of_closure", "with_attribute", "keywords", "wrapped"])
def test_what_may_change_in_itself_is_pickled_every_time(name: str) -> None:
    functions, space = PickledFunctions(), script(CHANGING)
    assert there(functions, space[name])() == 1
    space["items"][0] = space["box"][0] = space["keywords"].__kwdefaults__["value"][0] = 2
    space["holder"].value = space["Holder"].value = space["with_attribute"].value = 2
    assert there(functions, space[name])() == 2


def test_a_lambda_of_a_module_is_pickled_every_time() -> None:
    module = types.ModuleType("helpers")
    exec("factor = 2\ndef make(): return lambda x: factor * x", vars(module))
    functions, function = PickledFunctions(), module.make()
    assert there(functions, function)(1) == 2
    module.factor = 3  # type: ignore[attr-defined]  # made above
    assert there(functions, function)(1) == 3


def test_callables_of_other_kinds() -> None:
    functions = PickledFunctions()
    assert there(functions, functools.partial(operator.add, 1))(2) == 3
    assert there(functions, str.upper)("a") == "A"
    assert there(functions, [1, 2].index)(2) == 1


def test_two_functions_of_one_text_have_different_digests_only_if_they_differ() -> None:
    functions = PickledFunctions()
    one, same, other = script("def f(): return 1"), script("def f(): return 1"), script("def f(): return 2")
    digests = [functions.get(space["f"], "f").digest for space in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "CAPACITY", 2)
    functions = PickledFunctions()
    spaces = [script(f"def f(): return {number}") for number in range(3)]
    first = functions.get(spaces[0]["f"], "f")
    for space in spaces:
        functions.get(space["f"], "f")
    assert functions.get(spaces[0]["f"], "f") is not first
    assert len(functions._known) == 2


def test_a_function_that_cannot_be_pickled_is_named() -> None:
    space = script("import threading\nlock = threading.Lock()\ndef f(): return lock")
    with pytest.raises(SerializeError, match="the function mine cannot be pickled"):
        PickledFunctions().get(space["f"], "mine")
