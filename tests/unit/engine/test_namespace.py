"""The user's namespace on an engine: what is bound, what is executed, and what is forgotten."""

from __future__ import annotations

import linecache
import textwrap
import traceback
from typing import Any

import pytest

from mpikernel.engine import namespace
from mpikernel.engine.namespace import Namespace
from mpikernel.wire.functions import establish
from mpikernel.wire.payload import dump, load_function


def execute(space: Namespace, code: str, filename: str = "<execute 1>") -> Any:
    return space.execute(textwrap.dedent(code), filename)


# executing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", 2),
        ("x = 3\nx * 2", 6),
        ("x = 3", None),
        ("", None),
        ("def f(): return 5\nf()", 5),
        ("3;", 3),
        ("print", print),
        ("'a'; None", None),
    ],
)
def test_the_value_is_that_of_a_last_expression(code: str, value: Any) -> None:
    assert Namespace().execute(code, "<execute 1>") == value


def test_the_value_is_kept_as_underscore_unless_it_is_none() -> None:
    space = Namespace()
    execute(space, "21 * 2")
    execute(space, "None")
    assert space.pull("_") == 42


def test_names_stay_bound() -> None:
    space = Namespace()
    execute(space, "import math\ndef area(r): return math.pi * r * r")
    execute(space, "a = area(1)")
    assert execute(space, "round(a, 2)") == 3.14


def test_it_runs_as_a_main_program_would() -> None:
    space = Namespace()
    assert execute(space, "__name__") == "__main__"
    assert execute(space, "class A: pass\nA.__module__") == "__main__"
    assert execute(space, "def f(x: int): pass\nf.__annotations__") == {"x": int}
    assert execute(space, "from __future__ import annotations\ndef f(x: int): pass\nf.__annotations__") == {"x": "int"}


def test_a_traceback_shows_the_source() -> None:
    space = Namespace()
    with pytest.raises(ZeroDivisionError) as caught:
        execute(space, "def fail():\n    return 1 / 0  # on purpose\n\nfail()", "<execute 7>")
    text = "".join(traceback.format_exception(caught.value))
    assert 'File "<execute 7>", line 2, in fail' in text
    assert "return 1 / 0  # on purpose" in text


def test_a_mistake_in_the_source_is_a_syntax_error_that_names_it() -> None:
    with pytest.raises(SyntaxError) as caught:
        Namespace().execute("1 +", "<execute 8>")
    assert (caught.value.filename, caught.value.lineno) == ("<execute 8>", 1)


def test_only_the_last_sources_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "SOURCES", 2)
    space = Namespace()
    for number in range(4):
        execute(space, "1", f"<kept {number}>")
    assert [f"<kept {number}>" in linecache.cache for number in range(4)] == [False, False, True, True]


def test_a_file_is_read_where_it_is() -> None:
    execute(Namespace(), "1", "some/file.py")
    assert "some/file.py" not in linecache.cache


# binding ----------------------------------------------------------------------------------------------------------------


def test_push_and_pull() -> None:
    space = Namespace()
    space.push(("a", "b"), (1, [2]))
    assert (space.pull("a"), space.pull("b"), execute(space, "a + b[0]")) == (1, [2], 3)


def test_pulling_with_dots() -> None:
    space = Namespace()
    execute(space, "class Model:\n    class weights:\n        shape = (3, 4)\nmodel = Model()")
    assert space.pull("model.weights.shape") == (3, 4)
    with pytest.raises(AttributeError, match="bias"):
        space.pull("model.bias")


def test_pulling_what_is_not_there() -> None:
    with pytest.raises(NameError, match="name 'nothing' is not defined on this engine"):
        Namespace().pull("nothing.at.all")


def test_pulling_what_a_function_took_along_and_builtins() -> None:
    space = Namespace()
    establish(space.space, {"factor": 10})
    assert (space.pull("factor"), space.pull("len")) == (10, len)


def test_keys_are_the_users_names() -> None:
    space = Namespace()
    assert space.keys() == []
    space.push(("a",), (1,))
    establish(space.space, {"factor": 10})
    execute(space, "def f(): pass")
    assert sorted(space.keys()) == ["a", "f"]


# clearing ---------------------------------------------------------------------------------------------------------------


def test_clearing_forgets_everything_and_goes_on() -> None:
    space = Namespace()
    module = space.module
    space.push(("a",), (1,))
    establish(space.space, {"factor": 10})
    execute(space, "len = 3")
    space.clear()
    assert space.keys() == []
    for name in ("a", "factor"):
        with pytest.raises(NameError):
            space.pull(name)
    assert execute(space, "__name__, len([1])") == ("__main__", 1)
    assert space.module is module
    assert vars(module) is space.space


SCRIPT = """
    factor = 10
    def times(x):
        return factor * x
"""


def script_function(factor: int) -> Any:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(SCRIPT), space)
    space["factor"] = factor
    return space["times"]


def test_functions_that_came_before_it_was_cleared_still_find_what_they_took_along() -> None:
    space = Namespace()
    ten, captured = load_function(dump(script_function(10)), space.space, "times")
    load_function(dump(script_function(20)), space.space, "times")
    space.clear()
    establish(space.space, captured)  # as before each call
    assert ten(1) == 10


def test_functions_that_came_before_it_was_cleared_see_what_is_bound_afterwards() -> None:
    space = Namespace()
    times, captured = load_function(dump(script_function(10)), space.space, "times")
    space.clear()
    establish(space.space, captured)
    space.push(("factor",), (3,))
    assert times(1) == 3
