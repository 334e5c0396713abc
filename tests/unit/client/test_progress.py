"""The progress bar in a log file: a line now and then, with what a reader wants to know."""

from __future__ import annotations

import pytest

from mpikernel.client import progress
from mpikernel.client.progress import LOG_AT_LEAST, LOG_EVERY, LogBar, show_progress


class Time:
    """The monotonic time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(progress, "time", time)
    return time


class Growing:
    """A result that gets so many calls further each time somebody waits for it."""

    def __init__(self, time: Time, total: int, step: int, seconds: float) -> None:
        self.progress = 0
        self.elapsed = 0.0
        self._time, self._total, self._step, self._seconds = time, total, step, seconds

    def __len__(self) -> int:
        return self._total

    def wait(self, timeout: float | None = None) -> bool:
        self._time.now += self._seconds
        self.elapsed += self._seconds
        self.progress = min(self._total, self.progress + self._step)
        return self.progress == self._total


def test_lines_tell_how_far_and_how_long(time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_progress(Growing(time, total=4, step=1, seconds=2.0), "resample", 0.5, None)
    assert capsys.readouterr().err.splitlines() == [
        "resample  25% (1/4) after 2.0 s, about 6 s left",
        "resample  50% (2/4) after 4.0 s, about 4 s left",
        "resample  75% (3/4) after 6.0 s, about 2 s left",
        "resample 100% (4/4) after 8.0 s",
    ]


def test_there_are_not_too_many_lines(time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    show_progress(Growing(time, total=10_000, step=1, seconds=LOG_EVERY), "f", 0.5, None)
    assert len(capsys.readouterr().err.splitlines()) < 200


def test_quick_progress_makes_few_lines(time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    show_progress(Growing(time, total=1000, step=100, seconds=LOG_EVERY / 4), "f", 0.5, None)
    assert len(capsys.readouterr().err.splitlines()) <= 4


def test_what_stands_still_says_that_it_is_alive(time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    bar = LogBar("f", 10)
    for _ in range(3):
        bar.show(5, 1.0)
        time.now += LOG_AT_LEAST
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_nothing_to_do_is_all_done(time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_progress(Growing(time, total=0, step=0, seconds=0.0), "f", 0.5, None)
    assert capsys.readouterr().err == "f 100% (0/0) after 0.0 s\n"


def test_a_limit_ends_it(time: Time) -> None:
    assert not show_progress(Growing(time, total=10, step=1, seconds=1.0), "f", 0.5, timeout=3.0)
