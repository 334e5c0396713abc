"""A report for people (a table that reads well in a log file) and for programs (JSON). Both say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mpikernel.bench.sheet import Place, Report, Series, Sheet, Unit

WHO = 30  # width of the first column
FIGURE = 12  # width of the others, at least


class Result(msgspec.Struct, frozen=True):
    """A series as it is told: figures in the sheet's unit. For a rate the median is that of the median time."""

    case: str
    contestant: str
    median: float
    min: float
    max: float
    repeats: int
    amount: float
    time_over: dict[str, float]  # how many times as long as each raw contestant of the case it takes


class Told(msgspec.Struct, frozen=True):
    """The JSON file."""

    bench: str
    title: str
    unit: str
    place: Place
    results: list[Result]
    notes: list[str]


def as_json(bench: str, report: Report) -> bytes:
    """Everything as JSON."""
    sheet = report.sheet
    told = Told(bench, sheet.title, sheet.unit.text, report.place, results(sheet), sheet.notes)
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def results(sheet: Sheet) -> list[Result]:
    """The series of a sheet, those of one case beside each other."""
    cases = dict.fromkeys(series.case for series in sheet.series)
    return [_result(series, sheet) for case in cases for series in sheet.series if series.case == case]


def _result(series: Series, sheet: Sheet) -> Result:
    times = (series.median, series.shortest, series.longest)
    middle, *ends = (_in_unit(seconds, series.amount, sheet.unit) for seconds in times)
    raw = {other.contestant: other.median for other in sheet.series if other.case == series.case and other.contestant in sheet.raw}
    ratios = {name: series.median / seconds for name, seconds in raw.items()}
    return Result(series.case, series.contestant, middle, min(ends), max(ends), series.repeats, series.amount, ratios)


def _in_unit(seconds: float, amount: float, unit: Unit) -> float:
    return unit.scale * (amount / seconds if unit.rate else seconds)


def as_table(bench: str, report: Report) -> str:
    """Everything as text, without a newline at its end."""
    sheet = report.sheet
    ratios = [f"time / {name}" for name in sheet.raw]
    head = ("median", "min", "max", "repeats", *ratios)
    widths = [max(FIGURE, len(text) + 2) for text in head]
    lines = [f"{bench}: {sheet.title}, in {sheet.unit.text}", _describe(report.place), "", " " * WHO + _row(head, widths)]
    lines.extend(_lines(sheet, widths))
    lines.extend(f"note: {note}" for note in sheet.notes)
    return "\n".join(lines)


def _lines(sheet: Sheet, widths: Sequence[int]) -> Iterator[str]:
    case = None
    for result in results(sheet):
        if result.case != case:
            case = result.case
            yield case
        ratios = (_number(result.time_over[name]) if name in result.time_over else "-" for name in sheet.raw)
        figures = (_number(result.median), _number(result.min), _number(result.max), str(result.repeats), *ratios)
        yield f"  {result.contestant}".ljust(WHO) + _row(figures, widths)


def _row(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(text.rjust(width) for text, width in zip(texts, widths, strict=True))


def _number(value: float) -> str:
    """Three digits that count, and no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _describe(place: Place) -> str:
    software = f"mpikernel {place.mpikernel}, {place.mpi}, mpi4py {place.mpi4py}, Python {place.python}"
    world = f"ranks: {place.ranks}, engines: {place.engines}, hosts: {place.hosts}, cores: {place.cores}"
    return f"{software}\n{world}; {place.started}"
