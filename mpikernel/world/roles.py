"""The roles a rank can have. One process may hold several of them in a small world."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    CONTROLLER = "controller"
    SCRIPT = "script"
    TASK = "task"
    ENGINE = "engine"
