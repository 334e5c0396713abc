"""What co2_growth.py leaves behind: a table on the terminal and an HDF5 file with units. Knows nothing of engines or of plots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import co2_model
import h5py
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

SOURCE = "C. D. Keeling and T. P. Whorf, 2004, CDIAC, Oak Ridge National Laboratory (public domain)"


@dataclass(frozen=True)
class Run:
    """One finished analysis."""

    record: co2_model.Study
    block: int
    seed: int
    correlations: np.ndarray  # of the residuals, at lags of 1, 2, ... weeks
    resamples: np.ndarray  # (count, 2, values): values and their standard errors
    intervals: co2_model.Intervals

    def scalar(self, name: str) -> tuple[float, float, float, float]:
        """Estimate, standard error, lower and upper end of the 95 % interval of one of the QUANTITIES."""
        at = list(co2_model.QUANTITIES).index(name)
        found = self.intervals
        return float(found.estimate[at]), float(found.error[at]), float(found.low[at]), float(found.high[at])

    def curve(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Places, estimate, lower and upper band of the curve `growth`, `fit` or `season`."""
        growth_at, fit_at = co2_model.curve_years(self.record.years)
        places = {"growth": growth_at, "fit": fit_at, "season": co2_model.DAYS}
        start = len(co2_model.QUANTITIES)
        for known, at in places.items():
            if known == name:
                break
            start += len(at)
        part = slice(start, start + len(places[name]))
        return places[name], self.intervals.estimate[part], self.intervals.low[part], self.intervals.high[part]


def day_name(day: float) -> str:
    """13.4 -> '14 Jan'."""
    return (date(2001, 1, 1) + timedelta(days=int(day))).strftime("%-d %b")


def print_table(run: Run) -> None:
    title = f"CO2 at Mauna Loa: {len(run.resamples):,} resamples, each resampled {co2_model.NESTED} times"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("quantity")
    for heading in ("estimate", "95 % interval", "unit"):
        table.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    for name, (unit, meaning) in co2_model.QUANTITIES.items():
        estimate, _, low, high = run.scalar(name)
        digits = 4 if name == "acceleration" else 1 if unit.startswith("day") else 2
        note = f", {day_name(estimate)}" if unit.startswith("day") else ""
        table.add_row(meaning + note, f"{estimate:.{digits}f}", f"{low:.{digits}f} .. {high:.{digits}f}", unit)
    Console(force_terminal=False, width=80).print(table)  # no escape codes: Open MPI shows a rank a terminal even where a log file is meant


def write_hdf5(run: Run, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs.update(
            title="Growth of CO2 at Mauna Loa",
            source=SOURCE,
            method="least squares; moving-block bootstrap (Kunsch 1989) with bootstrap-t intervals (Gotze and Kunsch 1996)",
            confidence=0.95,
            block_weeks=run.block,
            seed=run.seed,
            resamples=len(run.resamples),
            nested_resamples=co2_model.NESTED,
        )
        write_data(file.create_group("data"), run)
        for at, name in enumerate(co2_model.QUANTITIES):
            write_quantity(file, run, at, name)
        for name, places_unit, unit in (("growth", "yr", "ppm/yr"), ("fit", "yr", "ppm"), ("season", "day", "ppm")):
            write_curve(file.create_group(f"curves/{name}"), run.curve(name), places_unit, unit)
    return path


def write_array(group: h5py.Group, name: str, values: object, unit: str, meaning: str) -> h5py.Dataset:
    dataset = group.create_dataset(name, data=values)
    dataset.attrs.update(units=unit, long_name=meaning)
    return dataset


def write_data(group: h5py.Group, run: Run) -> None:
    record = run.record
    write_array(group, "time", record.years[record.observed], "yr", "decimal year")
    write_array(group, "co2", record.co2, "ppm", "CO2 mole fraction, weekly mean")
    write_array(group, "residual", record.residuals[record.observed], "ppm", "observation minus fit")
    write_array(group, "autocorrelation", run.correlations, "1", "autocorrelation of the residuals at lags of 1, 2, ... weeks")


def write_quantity(file: h5py.File, run: Run, at: int, name: str) -> None:
    unit, meaning = co2_model.QUANTITIES[name]
    estimate, error, low, high = run.scalar(name)
    dataset = write_array(file.require_group("estimates"), name, estimate, unit, meaning)
    dataset.attrs.update(standard_error=error, interval=(low, high))
    write_array(file.require_group("resamples"), name, run.resamples[:, 0, at], unit, meaning)
    write_array(file.require_group("resample_errors"), name, run.resamples[:, 1, at], unit, f"standard error of: {meaning}")


def write_curve(group: h5py.Group, curve: tuple[np.ndarray, ...], places_unit: str, unit: str) -> None:
    names = ("places", "estimate", "low", "high")
    units = (places_unit, unit, unit, unit)
    meanings = ("where the curve is read", "least squares", "lower end of the 95 % interval", "upper end of the 95 % interval")
    for name, values, its_unit, meaning in zip(names, curve, units, meanings, strict=True):
        write_array(group, name, values, its_unit, meaning)
