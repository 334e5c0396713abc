"""`ipcluster history DIR`: what the ledger of a cluster directory tells, as a table or as JSON lines.

Owns the arguments and the page; the words come from ledger.wording. Rows are laid out here and not by rich, whose tables
hold all rows and take 0.5 ms for each: a run may have millions. So the records are read twice, once to measure the columns.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import click
import msgspec
from rich.cells import cell_len, chop_cells, set_cell_size

from mpikernel.config.settings import Settings
from mpikernel.errors import LedgerError
from mpikernel.ledger import wording
from mpikernel.ledger.folder import DATA_NAME
from mpikernel.ledger.lmdb import read_ledger
from mpikernel.ledger.promise import LedgerReader
from mpikernel.ledger.records import ABORTED, ERROR, OK, Record, Run

DEFAULT = Settings().cluster_dir

_GAP = 2  # between columns
_WIDEST = 48  # of a column; not of the ids, which are never cut, nor of the last, which holds the errors
_LEAST_FOR_WHAT = 20  # which gives way first where a terminal is narrow
_LEAST_FOR_LAST = 24  # below that rows become paragraphs
_NARROWEST = 24  # what paragraphs need, so that an id is in one line
_INDENT = " " * 4  # of all lines of a paragraph but the first

_COLOURS = {OK: "green", ERROR: "red", ABORTED: "yellow", wording.UNFINISHED: "yellow"}


@click.command()
@click.argument("directory", metavar="[DIR]", default=DEFAULT, type=click.Path(path_type=Path))
@click.option("--run", "which", metavar="N|all", default="", help="Show run N, or all runs; the last one otherwise.")
@click.option("--failed", is_flag=True, help="Show only calls that failed, were aborted or never ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line: times in UTC, and in seconds since the epoch.")
def history(directory: Path, which: str, failed: bool, as_json: bool) -> None:
    """Show what was run in the cluster directory DIR (./.mpikernel if none is given), from its ledger.

    DIR may also be the folder in which the run was started, or the ledger's own.
    Works while a run goes on, after it has ended, and after it was killed.
    """
    with _refusing(), closing(read_ledger(_find_ledger(directory))) as reader:
        for position, (run, live) in enumerate(_chosen(reader, which)):
            chosen = _Chosen(reader, run, live, failed)
            if as_json:
                _print_json(chosen)
            else:
                click.echo("\n" * bool(position), nl=False)
                _print_table(chosen)


class _Chosen(NamedTuple):
    """One run and what of it is to be shown."""

    reader: LedgerReader
    run: Run
    live: bool
    only_failed: bool

    def records(self) -> Iterator[tuple[Record, str, bool]]:
        """(record, its outcome, whether it is shown), from the start each time."""
        for _, record in self.reader.records(self.run.number):
            outcome = wording.outcome(record, self.live)
            yield record, outcome, not self.only_failed or outcome in wording.FAILURES


@contextmanager
def _refusing() -> Iterator[None]:
    """What cannot be read is the wrong argument: exit code 2."""
    try:
        yield
    except LedgerError as error:
        click.echo(f"Error: {error}", err=True)
        click.get_current_context().exit(2)


def _find_ledger(directory: Path) -> Path:
    """The directory itself, the ledger in it, or that of the cluster directory in it: whichever is there."""
    if not directory.exists():
        raise LedgerError(f"there is no directory {directory}")
    places = (directory, directory / "ledger", directory / DEFAULT / "ledger")
    return next((place for place in places if (place / DATA_NAME).exists()), directory / "ledger")


def _chosen(reader: LedgerReader, which: str) -> list[tuple[Run, bool]]:
    """The runs to show, and whether each is live."""
    runs = [(run, False) for run in reader.runs()]
    if not runs:
        click.echo("no run has begun in this ledger yet", err=True)
        return []
    last = runs[-1][0]
    runs[-1] = (last, reader.live() and not last.ended)
    if which in ("", "all"):
        return runs if which else runs[-1:]
    chosen = [(run, live) for run, live in runs if str(run.number) == which]
    if not chosen:
        raise click.BadParameter(f"there is no run {which}; the ledger has runs 1 to {last.number}", param_hint="--run")
    return chosen


def _print_json(chosen: _Chosen) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for record, _, shown in chosen.records():
        if shown:
            out.write(encode(wording.fields(chosen.run.number, record, chosen.live)) + b"\n")
    out.flush()


def _print_table(chosen: _Chosen) -> None:
    counts, widths = _measure(chosen)
    terminal = sys.stdout.isatty()
    table = _layout(widths, shutil.get_terminal_size().columns if terminal else None)
    encoding = sys.stdout.encoding or "utf-8"
    out = sys.stdout.buffer
    for text in _page(chosen, counts, table):
        shown = text if terminal else click.unstyle(text)
        out.write((shown + "\n").encode(encoding, "replace"))
    out.flush()


def _measure(chosen: _Chosen) -> tuple[Counter[str], list[int]]:
    """How often each outcome is there, and how wide each column but the last must be for what is shown."""
    counts: Counter[str] = Counter()
    widths = [cell_len(text) for text in wording.HEADINGS[:-1]]
    for record, outcome, shown in chosen.records():
        counts[outcome] += 1
        if shown:
            widths = [max(width, cell_len(cell)) for width, cell in zip(widths, wording.cells(record, chosen.live), strict=False)]
    return counts, [widths[0], *(min(width, _WIDEST) for width in widths[1:])]


def _page(chosen: _Chosen, counts: Counter[str], table: _Table) -> Iterator[str]:
    first, *more = wording.heading(chosen.run, chosen.live)
    yield "\n  ".join([click.style(first, bold=True), *more, wording.tally(counts)])
    yield from table.titles()
    for record, outcome, shown in chosen.records():
        if shown:
            cells = wording.cells(record, chosen.live)
            yield table.lead(cells) + click.style(table.last(cells), fg=_COLOURS.get(outcome))


class _Table(Protocol):
    """Lays out rows. The last cell is apart, since it has a colour."""

    def titles(self) -> list[str]: ...

    def lead(self, cells: Sequence[str]) -> str: ...

    def last(self, cells: Sequence[str]) -> str: ...


class _Columns:
    """One line for each row; where the width is limited the last cell goes on below itself."""

    def __init__(self, widths: Sequence[int], width: int | None) -> None:
        self._widths = widths
        self._indent = sum(widths) + _GAP * len(widths)
        self._width = width

    def titles(self) -> list[str]:
        return [self.lead(wording.HEADINGS) + self.last(wording.HEADINGS)]

    def lead(self, cells: Sequence[str]) -> str:
        fitted = [_fit(cell, width) for cell, width in zip(cells, self._widths, strict=False)]
        return (" " * _GAP).join([cells[0].rjust(self._widths[0]), *fitted[1:], ""])

    def last(self, cells: Sequence[str]) -> str:
        if self._width is None:
            return cells[-1]
        return f"\n{' ' * self._indent}".join(_wrap(cells[-1], self._width - self._indent))


class _Paragraphs:
    """A few lines for each row, for terminals too narrow for columns."""

    def __init__(self, width: int) -> None:
        self._width = max(width, _NARROWEST) - len(_INDENT)

    def titles(self) -> list[str]:
        return []

    def lead(self, cells: Sequence[str]) -> str:
        times = ", ".join(f"{name} {cell}" for name, cell in zip(wording.HEADINGS[3:6], cells[3:6], strict=True))
        lines = [line for text in (f"{cells[0]} {cells[1]}", cells[2], times) for line in _wrap(text, self._width)]
        return f"\n{_INDENT}".join([*lines, ""])

    def last(self, cells: Sequence[str]) -> str:
        return f"\n{_INDENT}".join(_wrap(cells[-1], self._width))


def _layout(widths: list[int], width: int | None) -> _Table:
    if width is None:
        return _Columns(widths, None)
    missing = sum(widths) + _GAP * len(widths) + _LEAST_FOR_LAST - width
    what = min(widths[1], max(widths[1] - missing, _LEAST_FOR_WHAT))
    return _Columns([widths[0], what, *widths[2:]], width) if missing <= widths[1] - what else _Paragraphs(width)


def _fit(cell: str, width: int) -> str:
    return set_cell_size(cell, width) if cell_len(cell) <= width else set_cell_size(cell, width - 2) + ".."


def _wrap(text: str, width: int) -> list[str]:
    """Lines that are at most `width` wide on a terminal, broken between words where they can be."""
    lines = [""]
    for piece in (piece for word in text.split() for piece in chop_cells(word, width)):
        longer = f"{lines[-1]} {piece}".lstrip()
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines
