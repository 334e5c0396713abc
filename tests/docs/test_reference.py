"""The reference names everything that users may use, and nothing that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import mpikernel
from mpikernel import AsyncResult, Client, DirectView, LoadBalancedView, errors
from mpikernel.client.view import View
from mpikernel.engine import _NAMES as ENGINE_NAMES
from tests.harness.environments import ROOT

REFERENCE = (ROOT / "docs" / "reference.rst").read_text(encoding="utf-8")
DIRECTIVE = re.compile(r"^( *)\.\. (?:py:)?(auto)?(class|exception|function|method|property|attribute|data):: ([\w.]+)", re.MULTILINE)

#: Public for other parts of the package, and of no use to scripts.
FOR_THE_PACKAGE = {
    "Client.port",
    "DirectView.apply_parts",
    "AsyncResult.arrived",
    "AsyncResult.awaited",
    "AsyncResult.departure",
    "AsyncResult.finish_unseen",
    "AsyncResult.pass_over",
    "AsyncResult.told",
    "AsyncResult.calls",
    "AsyncResult.under_way",
    "AsyncResult.expecting",
    "AsyncResult.expecting_nothing_but",
    "AsyncResult.launched",
}
#: What scripts use of concurrent.futures.Future.
FROM_FUTURE = {"add_done_callback", "cancel", "cancelled", "done", "exception", "result"}


def documented() -> set[str]:
    """Names as in `Client.close`, without the modules that they are in."""
    found = set()
    owner = ""
    for indent, _, kind, name in DIRECTIVE.findall(REFERENCE):
        last = name.rpartition(".")[2]
        if kind in ("class", "exception"):
            owner = last
        found.add(f"{owner}.{last}" if indent else last)
    return found


def public_names(cls: type) -> Iterator[str]:
    """What the package itself gives to a class, and what it takes from Future."""
    for base in cls.__mro__:
        if base.__module__.startswith("mpikernel"):
            yield from (name for name in vars(base) if not name.startswith("_") and name != "FLAGS")
    if cls is AsyncResult:
        yield from FROM_FUTURE


def test_every_public_name_is_in_the_reference() -> None:
    assert set(mpikernel.__all__) - documented() == {"engine"} & set(mpikernel.__all__)


def test_every_public_method_is_in_the_reference() -> None:
    names = documented()
    missing = {
        f"{cls.__name__}.{name}"
        for cls in (Client, DirectView, LoadBalancedView, AsyncResult, errors.CompositeError)
        for name in public_names(cls)
        if f"{cls.__name__}.{name}" not in names | FOR_THE_PACKAGE and not (issubclass(cls, View) and f"View.{name}" in names)
    }
    assert missing - {f"CompositeError.{name}" for name in ("derive", "what", "elist")} == set()


def test_every_error_is_in_the_reference() -> None:
    tree = ast.parse((ROOT / "mpikernel" / "errors.py").read_text(encoding="utf-8"))
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert classes - documented() == set()


def test_what_an_engine_knows_is_in_the_reference() -> None:
    assert [name for name in ENGINE_NAMES if f"``engine.{name}``" not in REFERENCE] == []


def test_what_is_in_the_reference_exists() -> None:
    owners = {cls.__name__: cls for cls in (Client, DirectView, LoadBalancedView, AsyncResult, errors.CompositeError)}
    named = [name.partition(".") for name in documented() if "." in name]
    assert [f"{owner}.{name}" for owner, _, name in named if owner in owners and not hasattr(owners[owner], name)] == []
