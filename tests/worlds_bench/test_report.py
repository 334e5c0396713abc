"""What a report makes of times: rates, ratios to raw MPI, and a table that can be read."""

from __future__ import annotations

import json

import pytest

from mpikernel.bench.report import as_json, as_table, results
from mpikernel.bench.sheet import MICROSECONDS, TASKS_PER_SECOND, Place, Report, Sheet, Unit, summarize

PLACE = Place("1.2", "An MPI 5", "4.1", "3.13", ranks=7, engines=4, cores=2, hosts=1, started="2026-01-31 12:00 UTC")


def report(unit: Unit, amount: float) -> Report:
    series = [
        summarize("hop", "ours", [0.004, 0.001, 0.002], amount),
        summarize("jump", "ours", [0.5], amount),
        summarize("hop", "raw", [0.001, 0.001], amount),
    ]
    return Report(PLACE, Sheet("things", unit, ("raw",), series, ["a remark"]))


def test_times_are_told_in_the_unit_with_their_ratio_to_raw() -> None:
    ours, raw, jump = results(report(MICROSECONDS, 1).sheet)
    assert [ours.min, ours.median, ours.max] == pytest.approx([1000, 2000, 4000])
    assert ours.repeats == 3
    assert ours.time_over == {"raw": pytest.approx(2)}
    assert raw.time_over == {"raw": 1}
    assert jump.time_over == {}


def test_rates_are_amounts_per_second_and_the_slowest_repeat_is_the_least() -> None:
    ours, _, _ = results(report(TASKS_PER_SECOND, 100).sheet)
    assert [ours.min, ours.median, ours.max] == pytest.approx([25_000, 50_000, 100_000])
    assert ours.time_over == {"raw": pytest.approx(2)}  # of the time, whatever the unit


def test_the_table_has_the_contestants_of_a_case_beside_each_other() -> None:
    lines = as_table("moves", report(TASKS_PER_SECOND, 100)).splitlines()
    assert lines[0] == "moves: things, in tasks/s"
    assert lines[1:3] == [
        "mpikernel 1.2, An MPI 5, mpi4py 4.1, Python 3.13",
        "ranks: 7, engines: 4, hosts: 1, cores: 2; 2026-01-31 12:00 UTC",
    ]
    assert [line.split() for line in lines[4:]] == [
        ["median", "min", "max", "repeats", "time", "/", "raw"],
        ["hop"],
        ["ours", "50,000", "25,000", "100,000", "3", "2.00"],
        ["raw", "100,000", "100,000", "100,000", "2", "1.00"],
        ["jump"],
        ["ours", "200", "200", "200", "1", "-"],
        ["note:", "a", "remark"],
    ]
    assert len({len(line) for line in lines[4:] if line.startswith("  ")}) == 1


def test_json_says_the_same_as_the_table() -> None:
    told = json.loads(as_json("moves", report(MICROSECONDS, 1)))
    assert (told["bench"], told["title"], told["unit"], told["notes"]) == ("moves", "things", "us", ["a remark"])
    assert told["place"]["mpi"] == "An MPI 5"
    assert [(result["case"], result["contestant"], result["repeats"]) for result in told["results"]] == [
        ("hop", "ours", 3),
        ("hop", "raw", 2),
        ("jump", "ours", 1),
    ]
