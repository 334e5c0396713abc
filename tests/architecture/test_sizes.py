"""Files, functions and classes stay small enough to be read at once. Who comes here looks for the second idea, not for a higher limit."""

from __future__ import annotations

import ast

from tests.architecture.sources import length, modules

FILE = 400  # lines
FUNCTION = 60
CLASS = 300
METHODS = 25

# Classes that may have more methods, each with its reason.
MORE_METHODS = {
    "mpikernel.client.client.Client": "all that is known of the world, under the names of IPython's parallel tools, a line or two each",
    "mpikernel.client.result.AsyncResult": "each is a name that users know from IPython's parallel tools, and a line or two long",
}


def count_methods(node: ast.ClassDef) -> int:
    return sum(isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) for inner in node.body)


def test_no_file_is_long() -> None:
    assert {module.place: len(module.lines) for module in modules().values() if len(module.lines) > FILE} == {}


def test_no_function_is_long() -> None:
    long = {
        f"{module.place}:{node.lineno} {node.name}": length(node)
        for module in modules().values()
        for node in module.functions()
        if length(node) > FUNCTION
    }
    assert long == {}


def test_no_class_is_long() -> None:
    long = {
        f"{module.name}.{node.name}": length(node) for module in modules().values() for node in module.classes() if length(node) > CLASS
    }
    assert long == {}


def test_no_class_has_many_methods_without_a_reason() -> None:
    many = {f"{module.name}.{node.name}" for module in modules().values() for node in module.classes() if count_methods(node) > METHODS}
    assert many == set(MORE_METHODS)
