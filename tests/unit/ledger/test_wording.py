"""What a record and a run say to people and to programs."""

from __future__ import annotations

import time

import pytest

from mpikernel.ledger import wording
from mpikernel.ledger.records import ABORTED, ERROR, OK, SUBMITTED, Record, Run

DONE = Record(7, "task", "resample", 3, 6, "n2", submitted=100.0, started=100.012, completed=101.512, status=OK)
OPEN = Record(8, "push", "data", submitted=100.0)


@pytest.fixture(autouse=True)
def _far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", lambda seconds: time.gmtime(seconds + 5.5 * 3600))


def test_cells_of_a_call_that_ended() -> None:
    assert wording.cells(DONE, live=False) == ("7", "task resample", "engine 3, rank 6, n2", "1970-01-01 05:31:40", "12 ms", "1.50 s", "ok")


def test_cells_of_a_call_of_which_nothing_is_known_yet() -> None:
    assert wording.cells(OPEN, live=True) == ("8", "push data", "-", "1970-01-01 05:31:40", "-", "-", "submitted")


def test_an_error_and_a_retry_are_told_with_the_outcome() -> None:
    failed = Record(9, "task", "f", status=ERROR, error="ValueError: no", attempt=2)
    assert wording.cells(failed, live=True)[-1] == "error (attempt 2) ValueError: no"


@pytest.mark.parametrize(
    ("status", "live", "told"),
    [
        (SUBMITTED, True, "submitted"),
        (SUBMITTED, False, "unfinished"),
        (OK, False, "ok"),
        (ERROR, True, "error"),
        (ABORTED, False, "aborted"),
    ],
)
def test_outcome(status: str, live: bool, told: str) -> None:
    assert wording.outcome(Record(1, "apply", "f", status=status), live) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *(
            (0.0, "0 us"),
            (0.00034, "340 us"),
            (0.9996e-3, "1.0 ms"),
            (0.00994, "9.9 ms"),
            (0.00996, "10 ms"),
            (0.9994, "999 ms"),
            (0.9996, "1.00 s"),
        ),
        *((59.99, "59.99 s"), (59.996, "1 min 00 s"), (125.4, "2 min 05 s"), (3599.6, "1 h 00 min"), (90_061.0, "25 h 01 min")),
        *((-0.5, "0 us"),),
    ],
)
def test_duration(seconds: float, told: str) -> None:
    assert wording.duration(1000.0, 1000.0 + seconds) == told


def test_a_duration_needs_both_ends() -> None:
    assert wording.duration(0.0, 5.0) == wording.duration(5.0, 0.0) == "-"


def test_fields_have_times_in_utc_and_in_seconds() -> None:
    told = wording.fields(2, DONE, live=False)
    assert list(told.values())[:10] == [2, 7, "task", "resample", 3, 6, "n2", 1, "ok", None]
    assert (told["submitted"], told["submitted_s"]) == ("1970-01-01T00:01:40.000000Z", 100.0)
    assert (told["started"], told["started_s"]) == ("1970-01-01T00:01:40.012000Z", 100.012)
    assert (told["completed"], told["completed_s"]) == ("1970-01-01T00:01:41.512000Z", 101.512)


def test_fields_that_are_not_known_are_none() -> None:
    told = wording.fields(2, OPEN, live=False)
    unknown = {name for name, value in told.items() if value is None}
    assert unknown == {"engine", "rank", "host", "error", "started", "started_s", "completed", "completed_s"}
    assert told["status"] == "unfinished"


def test_heading_of_a_run_that_ended() -> None:
    run = Run(3, 100.0, 112.3, 1, "examples/a b.py", ("-n", "8"), 8, 5, ("n1", "n2"), "Open MPI 5.0.11")
    assert wording.heading(run, live=False) == [
        "run 3: 1970-01-01 05:31:40, ended with exit code 1 after 12.30 s",
        "8 ranks on n1, n2, 5 engines, Open MPI 5.0.11",
        "'examples/a b.py' -n 8",
    ]


def test_heading_of_a_run_without_an_end() -> None:
    assert wording.heading(Run(1, 100.0), live=True) == ["run 1: 1970-01-01 05:31:40, still running"]
    assert wording.heading(Run(1, 100.0), live=False) == ["run 1: 1970-01-01 05:31:40, killed: no end was written"]


def test_tally() -> None:
    assert wording.tally({}) == "0 records"
    assert wording.tally({"ok": 1}) == "1 record: 1 ok"
    assert wording.tally({"ok": 1200, "error": 3}) == "1,203 records: 3 error, 1,200 ok"


def test_what_would_move_the_cursor_is_left_out() -> None:
    assert wording.one_line("a\tb\n\x1b[31mc\r\n") == "a b [31mc"
    assert wording.one_line("数 é") == "数 é"
