"""The science of the CO2 example, without a world."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RECORD = EXAMPLES / "data" / "mauna_loa_co2_weekly.csv"


@pytest.fixture(scope="module")
def model() -> Iterator[ModuleType]:
    sys.path.insert(0, str(EXAMPLES))  # as it is while a script of that folder runs
    yield importlib.import_module("co2_model")
    sys.path.remove(str(EXAMPLES))


def test_the_record_is_the_published_one(model: ModuleType) -> None:
    dates, co2 = model.read_weekly(RECORD)
    assert (len(dates), str(dates[0]), str(dates[-1])) == (2225, "1958-03-29", "2001-12-29")
    assert (co2[0], co2[-1], co2.min(), co2.max()) == (316.1, 371.5, 313.0, 373.9)
    assert co2.mean() == pytest.approx(340.142247, abs=1e-6)
    assert set(np.diff(dates).astype(int) % 7) == {0}


def test_growth_and_acceleration_are_those_of_a_plain_polynomial_fit(model: ModuleType) -> None:
    dates, co2 = model.read_weekly(RECORD)
    study = model.study(dates, co2)
    growth, acceleration = model.read_values(study, study.coefficients)[:2]
    expected_growth, expected_acceleration = fit_by_hand(dates, co2)
    assert growth == pytest.approx(expected_growth, rel=1e-8)
    assert acceleration == pytest.approx(expected_acceleration, rel=1e-8)


def fit_by_hand(dates: np.ndarray, co2: np.ndarray) -> tuple[float, float]:
    """Growth at the end (ppm/yr) and acceleration (ppm/yr^2), counting days backwards from the end; sines with np.linalg.lstsq."""
    t = (dates - dates[-1]).astype(float) / 365.2425
    waves = [wave(2 * np.pi * k * t) for k in (1, 2, 3) for wave in (np.sin, np.cos)]
    solution = np.linalg.lstsq(np.column_stack([t**2, t, np.ones_like(t), *waves]), co2, rcond=None)[0]
    return solution[1], 2 * solution[0]


def test_a_record_made_by_the_model_is_read_back(model: ModuleType) -> None:
    dates, _ = model.read_weekly(RECORD)
    t = 1970 + dates.astype(float) / 365.2425
    co2 = 340 + 1.3 * (t - 1980) + 0.02 * (t - 1980) ** 2 + 2.5 * np.cos(2 * np.pi * (t - 100 / 365.2425))
    study = model.study(dates, co2)
    values = dict(zip(model.QUANTITIES, model.read_values(study, study.coefficients), strict=False))
    assert values["acceleration"] == pytest.approx(0.04)
    assert values["growth_now"] == pytest.approx(1.3 + 0.04 * (t[-1] - 1980))
    assert values["growth_1970s"] == pytest.approx(1.3 - 0.04 * 5)
    assert values["amplitude"] == pytest.approx(5.0, abs=1e-4)
    assert values["peak_day"] == pytest.approx(100, abs=0.01)
    assert values["trough_day"] == pytest.approx(100 + 365.2425 / 2, abs=0.01)
    assert np.abs(study.residuals).max() < 1e-9


def test_autocorrelation_is_the_textbook_one(model: ModuleType) -> None:
    series = np.random.default_rng(3).normal(size=200).cumsum()
    centred = series - series.mean()
    full = np.correlate(centred, centred, mode="full")[199:]
    assert model.autocorrelation(series, np.array([0, 1, 5, 150])) == pytest.approx(full[[0, 1, 5, 150]] / full[0])


def test_the_block_length_is_the_first_lag_inside_the_noise_band(model: ModuleType) -> None:
    lags = np.arange(1, 6)
    assert model.block_length(lags, np.array([0.9, 0.5, 0.2, 0.19, -0.4]), n=100) == 4
    assert model.block_length(lags, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), n=100) == 5


def test_drawn_blocks_are_stretches_of_the_residuals(model: ModuleType) -> None:
    residuals = np.arange(100.0) ** 2
    series = model.draw_blocks(np.random.default_rng(1), residuals, block=7, count=3)
    assert series.shape == (3, 100)
    place_means = np.array([residuals[k : 94 + k].mean() for k in range(7)])
    for start in range(0, 98, 7):
        stretch = np.sqrt(series[1, start : start + 7] + place_means[: len(series[1, start : start + 7])])
        assert np.diff(stretch) == pytest.approx(1.0)


def test_a_resample_depends_on_its_number_and_the_seed_alone(model: ModuleType) -> None:
    study = model.study(*model.read_weekly(RECORD))
    first = model.resample(study, 250, 1, 5)
    assert np.array_equal(first, model.resample(study, 250, 1, 5))
    assert not np.array_equal(first, model.resample(study, 250, 1, 6))
    assert not np.array_equal(first, model.resample(study, 250, 2, 5))


def test_intervals_are_those_of_student_where_errors_are_independent(model: ModuleType) -> None:
    """For the mean of n normal numbers the studentized difference is Student's t, whose 2.5 % point at n = 5 is 2.776."""
    samples = np.random.default_rng(11).normal(10.0, 3.0, size=(200_000, 5))
    resamples = np.stack([samples.mean(axis=1), samples.std(axis=1, ddof=1) / np.sqrt(5)], axis=1)[:, :, None]
    found = model.intervals(np.array([10.0]), resamples)
    error = 3 / np.sqrt(5)
    assert found.error[0] == pytest.approx(error, rel=0.01)
    assert found.low[0] == pytest.approx(10 - 2.776 * error, rel=0.02)
    assert found.high[0] == pytest.approx(10 + 2.776 * error, rel=0.02)
