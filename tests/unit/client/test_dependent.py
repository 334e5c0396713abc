"""`depend` and `require`: what they do on an engine, in a direct view, and where they are simply called."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpikernel import Client, depend, require
from mpikernel.client.labels import label_of
from mpikernel.errors import CompositeError, TaskReject, UsageError
from mpikernel.testing.engines import Engines
from mpikernel.wire.functions import new_namespace
from mpikernel.wire.payload import dump, load


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Engines(tmp_path, hosts=("a", "b")).working() as client:
        yield client


def script(source: str) -> dict[str, Any]:
    """The namespace of a script in which this stands."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(f"from mpikernel import depend, require\n{source}", space)
    return space


def on_an_engine(function: Any, space: dict[str, Any] | None = None) -> Any:
    """A function as it arrives on an engine with this namespace."""
    return load(dump(function), new_namespace() if space is None else space)


def enough(least: float, of: str = "memory") -> bool:
    return least < 10


# depend --------------------------------------------------------------------------------------------------------------------


def test_a_function_whose_condition_is_met() -> None:
    fit = on_an_engine(depend(enough, 3, of="cores")(divmod))
    assert fit(7, 2) == (3, 1)


def test_one_whose_condition_is_not_met_says_why() -> None:
    fit = on_an_engine(depend(enough, 64, of="cores")(divmod))
    with pytest.raises(TaskReject, match=r"^divmod does not run here: enough\(64, of='cores'\) gave False$"):
        fit(7, 2)


@pytest.mark.parametrize("answer", [None, True, 1, "yes"])
def test_answers_that_are_no_objection(answer: Any) -> None:
    assert depend(lambda: answer)(abs)(-1) == 1


@pytest.mark.parametrize("answer", [False, 0, ""])
def test_answers_that_are(answer: Any) -> None:
    with pytest.raises(TaskReject):
        depend(lambda: answer)(abs)(-1)


def test_a_condition_that_raises_is_an_error_of_the_call() -> None:
    with pytest.raises(ZeroDivisionError):
        depend(divmod, 1, 0)(abs)(-1)


def test_functions_of_the_script_travel_with_their_conditions() -> None:
    space = script("def here(kind): return kind in kinds\nkinds = ['gpu']\n@depend(here, 'gpu')\ndef fit(n): return n and fit(n - 1) + 1")
    fit = space["fit"]
    assert (fit.__name__, label_of(fit), fit(3)) == ("fit", "fit", 3)
    assert on_an_engine(fit)(3) == 3
    home = new_namespace() | {"kinds": []}
    with pytest.raises(TaskReject, match=r"fit does not run here: here\('gpu'\) gave False"):
        on_an_engine(fit, home)(3)


# require -------------------------------------------------------------------------------------------------------------------


def test_modules_are_imported_into_the_namespace() -> None:
    home = new_namespace()
    fit = on_an_engine(script("@require('xml.dom', 'json')\ndef fit(): return json.dumps(xml.dom.__name__)")["fit"], home)
    assert fit() == '"xml.dom"'
    assert {"xml", "json"} <= home.keys()


def test_modules_and_functions_themselves() -> None:
    home = new_namespace()
    source = "import math\ndef half(x): return x / 2\n@require(math, half, third=3)\ndef fit(x): return None"
    on_an_engine(script(source)["fit"], home)(1)
    assert (home["math"], home["half"](4), home["third"]) == (math, 2, 3)


def test_a_module_that_is_not_there() -> None:
    fit = on_an_engine(require("json", "no_such.module")(divmod))
    with pytest.raises(TaskReject, match=r"divmod does not run here: it requires no_such\.module, and ModuleNotFoundError: No module"):
        fit(7, 2)


def test_both() -> None:
    fit = on_an_engine(require("json")(depend(enough, 64)(divmod)))
    with pytest.raises(TaskReject, match="enough"):
        fit(7, 2)


def test_where_it_is_simply_called() -> None:
    space = script("import math\n@require('math')\ndef area(r): return math.pi * r * r")
    assert space["area"](1) == math.pi


def test_what_came_from_an_engine_can_be_sent_again() -> None:
    home, other = new_namespace(), new_namespace()
    once = on_an_engine(script("@require('json')\ndef fit(): return json.dumps(1)")["fit"], home)
    assert on_an_engine(once, other)() == "1"
    assert "json" in other


# in views ------------------------------------------------------------------------------------------------------------------


def test_in_a_direct_view_it_is_an_error(client: Client) -> None:
    with pytest.raises(CompositeError) as caught:
        client[:].apply_sync(depend(enough, 64)(divmod), 7, 2)
    assert {type(error) for error in caught.value.exceptions} == {TaskReject}
    with pytest.raises(TaskReject):
        client[0].apply_sync(require("no_such_module")(divmod), 7, 2)


def test_in_a_direct_view_that_meets_it(client: Client) -> None:
    space = script("@require('json')\ndef fit(n): return json.dumps(n)")
    assert client[:].apply_sync(space["fit"], 7) == ["7", "7"]
    assert client[:].map_sync(space["fit"], range(3)) == ["0", "1", "2"]
    assert client[0].pull("json.__name__", block=True) == "json"


# what cannot be ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: depend(True), "depend(True) is no condition"),  # type: ignore[arg-type]  # as users do
        (lambda: require(7), "require(7): it has no name"),
        (lambda: require("os; print()"), "that is no name of a module"),
        (lambda: require(lambda: 0), "it has no name"),
        (lambda: require("json")(7), "7 is no function"),  # type: ignore[arg-type]  # as users do
    ],
)
def test_what_is_refused(make: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert words in str(caught.value)


def test_how_it_looks() -> None:
    assert repr(depend(enough, 64)(divmod)) == "<divmod, on enough(64)>"
    assert repr(require("json", math, abs)(divmod)) == "<divmod, on json, math, abs>"
