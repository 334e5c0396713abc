"""Whether the bars of a sheet are reached. Medians are compared with medians; a limit with the worst repeat, unless it says otherwise."""

from __future__ import annotations

import msgspec

from mpikernel.bench.sheet import AtLeast, Bar, Series, Sheet


class Verdict(msgspec.Struct, frozen=True):
    """One bar, and how high it was jumped."""

    case: str
    contestant: str
    bar: str
    reached: str
    met: bool

    @property
    def short(self) -> str:
        """For a column of the table."""
        return f"{self.bar}: {'met' if self.met else 'MISSED'}"


def judge(sheet: Sheet) -> list[Verdict]:
    """A verdict on each bar, in their order."""
    found = {(series.case, series.contestant): series for series in sheet.series}
    return [_judge(bar, sheet, found) for bar in sheet.bars]


def _speed(series: Series) -> float:
    return series.amount / series.median


def _judge(bar: Bar, sheet: Sheet, found: dict[tuple[str, str], Series]) -> Verdict:
    series = found[bar.case, bar.contestant]
    if isinstance(bar, AtLeast):
        share = _speed(series) / _speed(found[bar.case, bar.other])
        return Verdict(bar.case, bar.contestant, f"{bar.share:g} of {bar.other}", f"{share:.2f}", share >= bar.share)
    reached = series.median if bar.usually else series.most
    limit, most = (f"{value * sheet.unit.scale:,.2f} {sheet.unit.text}" for value in (bar.limit, reached))
    return Verdict(bar.case, bar.contestant, f"{'usually ' if bar.usually else ''}at most {limit}", most, reached <= bar.limit)
