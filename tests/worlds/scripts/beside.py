"""A module that lies beside the check scripts: engines must be able to import it, as the script can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SCALE = 3


@dataclass(frozen=True)
class Point:
    x: float
    y: float


class Unlucky(Exception):
    """An exception with a constructor of its own that pickle cannot call again."""

    def __init__(self, what: str, count: int) -> None:
        super().__init__(f"{what} x {count}")
        self.count = count


def scaled(x: float) -> float:
    return SCALE * x


def make_scaler() -> Callable[[float], float]:
    return lambda x: SCALE * x


def mirrored(point: Point) -> Point:
    return Point(point.y, point.x)
