"""What a bench found out, as plain data that travels from a world to the process that prints it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct


class Unit(Struct, frozen=True):
    """How figures are shown: a time, the amount that is done per second, or so much memory."""

    text: str
    scale: float  # of seconds, of amounts per second, or of bytes
    rate: bool


MICROSECONDS = Unit("us", 1e6, rate=False)
MILLISECONDS = Unit("ms", 1e3, rate=False)
TASKS_PER_SECOND = Unit("tasks/s", 1, rate=True)
GIGABYTES_PER_SECOND = Unit("GB/s", 1e-9, rate=True)
MEBIBYTES = Unit("MiB", 1 / (1 << 20), rate=False)


class Series(Struct, frozen=True):
    """The repeats of one contestant in one case: seconds, or bytes where the sheet is one of memory."""

    case: str
    contestant: str
    amount: float  # what one repeat does: tasks, bytes, or 1
    repeats: int
    median: float
    least: float
    most: float


def summarize(case: str, contestant: str, measured: Sequence[float], amount: float = 1) -> Series:
    """Make a series of what was measured in each repeat."""
    return Series(case, contestant, amount, len(measured), median(measured), min(measured), max(measured))


class AtLeast(Struct, frozen=True, tag=True):
    """A bar: a contestant is to have so much of the speed that another one has in the same case."""

    case: str
    contestant: str
    share: float
    other: str


class AtMost(Struct, frozen=True, tag=True):
    """A bar: no repeat of a contestant may take more than this, in seconds or bytes; or only those that are usual, up to the median."""

    case: str
    contestant: str
    limit: float
    usually: bool = False


Bar = AtLeast | AtMost


class Sheet(Struct):
    """Figures in one unit."""

    title: str
    unit: Unit
    raw: tuple[str, ...]  # contestants that the others are compared with
    series: list[Series]
    notes: list[str] = []
    bars: list[Bar] = []


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
    """The sheets of one bench, and where they come from."""

    place: Place
    sheets: list[Sheet]
