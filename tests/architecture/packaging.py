"""What setup.py says, read without running it."""

from __future__ import annotations

import ast
from typing import Any

from tests.architecture.sources import ROOT


def setup_keyword(name: str) -> Any:
    """The value that setup.py gives to `setup(name=...)`."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "setup")
    return next(ast.literal_eval(keyword.value) for call in calls for keyword in call.keywords if keyword.arg == name)
