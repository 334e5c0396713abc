"""A report for people (a table that reads well in a log file) and for programs (JSON). Both say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mpikernel.bench.sheet import Place, Report, Series, Sheet, Unit
from mpikernel.bench.verdicts import Verdict, judge

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
    ratios: dict[str, float]  # its median by that of each raw contestant of the case: for rates more is better, for times less


class Section(msgspec.Struct, frozen=True):
    """A sheet as it is told."""

    title: str
    unit: str
    results: list[Result]
    bars: list[Verdict]
    notes: list[str]


class Told(msgspec.Struct, frozen=True):
    """The JSON file."""

    bench: str
    place: Place
    sections: list[Section]


def as_json(bench: str, report: Report) -> bytes:
    """Everything as JSON."""
    sections = [Section(sheet.title, sheet.unit.text, results(sheet), judge(sheet), sheet.notes) for sheet in report.sheets]
    return msgspec.json.format(msgspec.json.encode(Told(bench, report.place, sections)), indent=2) + b"\n"


def results(sheet: Sheet) -> list[Result]:
    """The series of a sheet, those of one case beside each other."""
    cases = dict.fromkeys(series.case for series in sheet.series)
    return [_result(series, sheet) for case in cases for series in sheet.series if series.case == case]


def _result(series: Series, sheet: Sheet) -> Result:
    middle, *ends = (_in_unit(value, series.amount, sheet.unit) for value in (series.median, series.least, series.most))
    beside = [other for other in sheet.series if other.case == series.case and other.contestant in sheet.raw]
    ratios = {other.contestant: middle / _in_unit(other.median, other.amount, sheet.unit) for other in beside}
    return Result(series.case, series.contestant, middle, min(ends), max(ends), series.repeats, series.amount, ratios)


def _in_unit(measured: float, amount: float, unit: Unit) -> float:
    return unit.scale * (amount / measured if unit.rate else measured)


def as_table(bench: str, report: Report) -> str:
    """Everything as text, without a newline at its end."""
    lines = [f"{bench} on {_world(report.place)}", _software(report.place)]
    for sheet in report.sheets:
        lines.extend(("", *_section(sheet)))
    verdicts = [verdict for sheet in report.sheets for verdict in judge(sheet)]
    if verdicts:
        lines.extend(("", *_summary(verdicts)))
    return "\n".join(lines)


def _section(sheet: Sheet) -> Iterator[str]:
    ratios = [f"{'of' if sheet.unit.rate else 'time /'} {name}" for name in sheet.raw]
    head = ("median", "min", "max", "repeats", *ratios)
    widths = [max(FIGURE, len(text) + 2) for text in head]
    yield f"{sheet.title}, in {sheet.unit.text}"
    yield " " * WHO + _row(head, widths) + ("  to reach" if sheet.bars else "")
    yield from _lines(sheet, widths)
    for note in sheet.notes:
        yield f"note: {note}"


def _lines(sheet: Sheet, widths: Sequence[int]) -> Iterator[str]:
    verdicts = judge(sheet)
    case = None
    for result in results(sheet):
        if result.case != case:
            case = result.case
            yield case
        ratios = (_number(result.ratios[name]) if name in result.ratios else "-" for name in sheet.raw)
        figures = (_number(result.median), _number(result.min), _number(result.max), str(result.repeats), *ratios)
        bars = "; ".join(bar.short for bar in verdicts if (bar.case, bar.contestant) == (result.case, result.contestant))
        yield f"  {result.contestant}".ljust(WHO) + _row(figures, widths) + f"  {bars}".rstrip()


def _summary(verdicts: Sequence[Verdict]) -> Iterator[str]:
    missed = [verdict for verdict in verdicts if not verdict.met]
    yield f"reached: {len(verdicts) - len(missed)} of {len(verdicts)}"
    for verdict in missed:
        yield f"missed: {verdict.case} by {verdict.contestant}: {verdict.reached}; to reach: {verdict.bar}"


def _row(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(text.rjust(width) for text, width in zip(texts, widths, strict=True))


def _number(value: float) -> str:
    """Three digits that count, and no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _software(place: Place) -> str:
    return f"mpikernel {place.mpikernel}, {place.mpi}, mpi4py {place.mpi4py}, Python {place.python}"


def _world(place: Place) -> str:
    return f"ranks: {place.ranks}, engines: {place.engines}, hosts: {place.hosts}, cores: {place.cores}; {place.started}"
