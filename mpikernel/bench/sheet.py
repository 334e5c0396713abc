"""What a bench found out, as plain data that travels from a world to the process that prints it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct


class Unit(Struct, frozen=True):
    """How figures are shown: a time, or the amount that is done per second."""

    text: str
    scale: float  # of seconds, or of amounts per second
    rate: bool


MICROSECONDS = Unit("us", 1e6, rate=False)
MILLISECONDS = Unit("ms", 1e3, rate=False)
TASKS_PER_SECOND = Unit("tasks/s", 1, rate=True)
MEGABYTES_PER_SECOND = Unit("MB/s", 1e-6, rate=True)


class Series(Struct, frozen=True):
    """The repeats of one contestant in one case. Times are seconds."""

    case: str
    contestant: str
    amount: float  # what one repeat does: tasks, bytes, or 1
    repeats: int
    median: float
    shortest: float
    longest: float


def summarize(case: str, contestant: str, took: Sequence[float], amount: float = 1) -> Series:
    """Make a series of the seconds that each repeat took."""
    return Series(case, contestant, amount, len(took), median(took), min(took), max(took))


class Sheet(Struct):
    """The figures of one bench."""

    title: str
    unit: Unit
    raw: tuple[str, ...]  # contestants that the others are compared with
    series: list[Series]
    notes: list[str] = []


class Place(Struct, frozen=True):
    """Where it was measured."""

    mpikernel: str  # these four are versions
    mpi: str
    mpi4py: str
    python: str
    ranks: int
    engines: int
    cores: int  # that the script's rank may use
    hosts: int
    started: str  # date and time, UTC


class Report(Struct, frozen=True):
    """A sheet, and where it comes from."""

    place: Place
    sheet: Sheet
