"""What runs and records say to people and to programs. Pure: it reads no ledger and prints nothing."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from mpikernel.ledger.records import ABORTED, ERROR, SUBMITTED, Record, Run

#: How a call stands whose run is over although it never ended.
UNFINISHED = "unfinished"

#: What did not end as it was meant to.
FAILURES = frozenset({ABORTED, ERROR, UNFINISHED})

HEADINGS = ("id", "what", "where", "submitted", "waited", "took", "ended")


def outcome(record: Record, live: bool) -> str:
    """How a call stands, in a run that still goes on (`live`) or does not."""
    return UNFINISHED if record.status == SUBMITTED and not live else record.status


def cells(record: Record, live: bool) -> tuple[str, ...]:
    """A record as one cell for each of HEADINGS."""
    tries = f" (attempt {record.attempt})" if record.attempt > 1 else ""
    error = f" {one_line(record.error)}" if record.error else ""
    return (
        str(record.task),
        one_line(f"{record.kind} {record.label}"),
        place(record),
        local_time(record.submitted),
        duration(record.submitted, record.started),
        duration(record.started, record.completed),
        outcome(record, live) + tries + error,
    )


def heading(run: Run, live: bool) -> list[str]:
    """A run in a few lines, the first of which begins with its number."""
    if run.ended:
        end = f"ended with exit code {run.exit_code} after {duration(run.started, run.ended)}"
    else:
        end = "still running" if live else "killed: no end was written"
    lines = [f"run {run.number}: {local_time(run.started)}, {end}"]
    if run.size:
        lines.append(f"{amount(run.size, 'rank')} on {', '.join(run.hosts) or '-'}, {amount(run.engines, 'engine')}, {one_line(run.mpi)}")
    if run.program:
        lines.append(one_line(shlex.join((run.program, *run.argv))))
    return lines


def tally(counts: Mapping[str, int]) -> str:
    """How many records there are of each outcome."""
    parts = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    return amount(sum(counts.values()), "record") + (f": {parts}" if parts else "")


def fields(run: int, record: Record, live: bool) -> dict[str, object]:
    """A record for a program: times as ISO 8601 in UTC and, with `_s`, as seconds since the epoch; None for what is not known."""
    told: dict[str, object] = {
        "run": run,
        "task": record.task,
        "kind": record.kind,
        "label": record.label,
        "engine": record.engine if record.engine >= 0 else None,
        "rank": record.rank if record.rank >= 0 else None,
        "host": record.host or None,
        "attempt": record.attempt,
        "status": outcome(record, live),
        "error": record.error or None,
    }
    for name in ("submitted", "started", "completed"):
        seconds = getattr(record, name)
        told[name] = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if seconds else None
        told[name + "_s"] = seconds or None
    return told


def place(record: Record) -> str:
    known = (
        f"engine {record.engine}" if record.engine >= 0 else "",
        f"rank {record.rank}" if record.rank >= 0 else "",
        one_line(record.host),
    )
    return ", ".join(filter(None, known)) or "-"


def local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else "-"


def duration(begin: float, end: float) -> str:
    """From begin to end with a unit; "-" if one of them is not known. Never less than nothing, though clocks of two hosts may differ."""
    if not begin or not end:
        return "-"
    seconds = max(end - begin, 0.0)
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 9.95e-3:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.995:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def one_line(text: str) -> str:
    """The same without line ends, tabs and whatever else would move a terminal's cursor."""
    return text if text.isprintable() else " ".join("".join(c if c.isprintable() else " " for c in text).split())
