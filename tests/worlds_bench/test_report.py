"""What a report makes of times: rates, ratios to raw MPI, and a table that can be read."""

from __future__ import annotations

import json

import pytest

from mpikernel.bench.report import as_json, as_table, results
from mpikernel.bench.sheet import MEBIBYTES, MICROSECONDS, TASKS_PER_SECOND, AtLeast, AtMost, Place, Report, Sheet, Unit, summarize

PLACE = Place("1.2", "An MPI 5", "4.1", "3.13", ranks=7, engines=4, cores=2, hosts=1, started="2026-01-31 12:00 UTC")


def report(unit: Unit, amount: float) -> Report:
    series = [
        summarize("hop", "ours", [0.004, 0.001, 0.002], amount),
        summarize("jump", "ours", [0.5], amount),
        summarize("hop", "raw", [0.001, 0.001], amount),
    ]
    return Report(PLACE, [Sheet("things", unit, ("raw",), series, ["a remark"])])


def judged() -> Report:
    """Two sheets with bars; one of four is not reached."""
    times = [summarize("hop", "ours", [0.004, 0.001, 0.002], 100), summarize("hop", "raw", [0.001], 100)]
    speed = Sheet(
        "things", TASKS_PER_SECOND, ("raw",), times, bars=[AtLeast("hop", "ours", 0.5, "raw"), AtLeast("hop", "ours", 0.9, "raw")]
    )
    room = [summarize("push", "all ranks", [1 << 20, 3 << 20]), summarize("push", "rank 1", [0])]
    memory = Sheet("growth", MEBIBYTES, (), room, bars=[AtMost("push", "all ranks", 3 << 20), AtMost("push", "all ranks", 5 << 19, True)])
    return Report(PLACE, [speed, memory])


def test_times_are_told_in_the_unit_with_their_ratio_to_raw() -> None:
    ours, raw, jump = results(report(MICROSECONDS, 1).sheets[0])
    assert [ours.min, ours.median, ours.max] == pytest.approx([1000, 2000, 4000])
    assert ours.repeats == 3
    assert ours.ratios == {"raw": pytest.approx(2)}
    assert raw.ratios == {"raw": 1}
    assert jump.ratios == {}


def test_rates_are_amounts_per_second_and_the_slowest_repeat_is_the_least() -> None:
    ours, _, _ = results(report(TASKS_PER_SECOND, 100).sheets[0])
    assert [ours.min, ours.median, ours.max] == pytest.approx([25_000, 50_000, 100_000])
    assert ours.ratios == {"raw": pytest.approx(0.5)}  # of the speed


def test_the_table_has_the_contestants_of_a_case_beside_each_other() -> None:
    lines = as_table("moves", report(TASKS_PER_SECOND, 100)).splitlines()
    assert lines[:4] == [
        "moves on ranks: 7, engines: 4, hosts: 1, cores: 2; 2026-01-31 12:00 UTC",
        "mpikernel 1.2, An MPI 5, mpi4py 4.1, Python 3.13",
        "",
        "things, in tasks/s",
    ]
    assert [line.split() for line in lines[4:]] == [
        ["median", "min", "max", "repeats", "of", "raw"],
        ["hop"],
        ["ours", "50,000", "25,000", "100,000", "3", "0.500"],
        ["raw", "100,000", "100,000", "100,000", "2", "1.00"],
        ["jump"],
        ["ours", "200", "200", "200", "1", "-"],
        ["note:", "a", "remark"],
    ]
    assert len({len(line) for line in lines[4:] if line.startswith("  ")}) == 1


def test_times_are_told_with_their_ratio_to_the_time_of_raw() -> None:
    assert "time / raw" in as_table("moves", report(MICROSECONDS, 1)).splitlines()[4]


def test_the_table_says_what_was_to_be_reached_and_what_was_missed() -> None:
    lines = as_table("moves", judged()).splitlines()
    assert lines[6].endswith("0.500  0.5 of raw: met; 0.9 of raw: MISSED")
    assert lines[9] == "growth, in MiB"
    assert lines[12].split("  ")[-1] == "at most 3.00 MiB: met; usually at most 2.50 MiB: met"  # by the worst repeat; by the median
    assert lines[13].endswith(" 1")
    assert lines[-2:] == ["reached: 3 of 4", "missed: hop by ours: 0.50; to reach: 0.9 of raw"]


def test_json_has_the_verdicts() -> None:
    speed, memory = json.loads(as_json("moves", judged()))["sections"]
    assert [bar["met"] for bar in speed["bars"]] == [True, False]
    worst, usual = memory["bars"]
    assert worst == {"case": "push", "contestant": "all ranks", "bar": "at most 3.00 MiB", "reached": "3.00 MiB", "met": True}
    assert (usual["bar"], usual["reached"], usual["met"]) == ("usually at most 2.50 MiB", "2.00 MiB", True)
    assert [result["median"] for result in memory["results"]] == [2, 0]


def test_json_says_the_same_as_the_table() -> None:
    told = json.loads(as_json("moves", report(MICROSECONDS, 1)))
    (section,) = told["sections"]
    assert (told["bench"], section["title"], section["unit"], section["notes"]) == ("moves", "things", "us", ["a remark"])
    assert told["place"]["mpi"] == "An MPI 5"
    assert [(result["case"], result["contestant"], result["repeats"]) for result in section["results"]] == [
        ("hop", "ours", 3),
        ("hop", "raw", 2),
        ("jump", "ours", 1),
    ]
