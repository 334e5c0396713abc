"""What a map runs on an engine: importable there, so that only the user's function travels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def apply_to_items(function: Callable[..., Any], *columns: Iterable[Any]) -> list[Any]:
    """The function's values for the items of equally long sequences."""
    return list(map(function, *columns))
