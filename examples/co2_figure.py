"""The picture of co2_growth.py: the record, its growth, its season, and how sure the bootstrap is. Knows nothing of engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import co2_model
import numpy as np
from co2_output import Run, day_name
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # draws without a screen, as on a compute node
from matplotlib.figure import Figure

INK, SLATE, ASH, SEA, LEAF, EMBER = "#222831", "#6b747c", "#9aa3ab", "#1f6f9f", "#3b8c5a", "#c8553d"
STYLE: dict[str, Any] = {"linewidth": 2.0, "solid_capstyle": "round"}
PPM = r"CO$_2$ (ppm)"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def draw(run: Run, path: Path) -> Path:
    figure = Figure(figsize=(13.3, 8.2), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 3, left=0.055, right=0.978, top=0.875, bottom=0.105, hspace=0.42, wspace=0.24)
    draw_record(figure.add_subplot(grid[0, :2]), run)
    draw_last_years(figure.add_subplot(grid[0, 2]), run)
    draw_growth(figure.add_subplot(grid[1, 0]), run)
    draw_season(figure.add_subplot(grid[1, 1]), run)
    draw_resamples(figure.add_subplot(grid[1, 2]), run)
    figure.suptitle(r"CO$_2$ at Mauna Loa grows, and grows faster", x=0.055, y=0.97, ha="left", fontsize=20, weight="bold", color=INK)
    method = f"Least squares; moving-block bootstrap-t, blocks of {run.block} weeks, {len(run.resamples):,} resamples."
    figure.text(0.055, 0.018, method, fontsize=9, color=SLATE)
    figure.text(0.978, 0.018, "Data: Keeling and Whorf 2004, CDIAC (public domain)", ha="right", fontsize=9, color=SLATE)
    figure.savefig(path)
    return path


def dress(axes: Axes, letter: str, title: str, x: str, y: str) -> None:
    axes.set_title(f"{letter}  {title}", loc="left", fontsize=12, weight="bold", color=INK, pad=8)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.grid(axis="y", color="#e6e9ec", linewidth=0.8)
    axes.set_axisbelow(True)


def band(axes: Axes, curve: tuple[np.ndarray, ...], color: str, label: str) -> None:
    places, estimate, low, high = curve
    axes.plot(places, estimate, color=color, label=label, **STYLE)
    axes.fill_between(places, low, high, color=color, alpha=0.25, linewidth=0, label="its 95 % confidence band")


def draw_record(axes: Axes, run: Run) -> None:
    record = run.record
    trend = record.design[:, :3] @ record.coefficients[:3]
    axes.plot(record.years[record.observed], record.co2, ".", color=ASH, markersize=2.5, label="weekly means")
    axes.plot(record.years, record.design @ record.coefficients, color=SEA, linewidth=0.9, label="fit: trend and season")
    axes.plot(record.years, trend, color=EMBER, label="trend: quadratic in time", **STYLE)
    dress(axes, "a", "The record and its fit", "year", PPM)
    axes.set_xlim(1957.5, 2002.5)
    axes.set_ylim(310, 378)
    axes.legend(loc="upper left", frameon=False, markerscale=4)


def draw_last_years(axes: Axes, run: Run) -> None:
    record = run.record
    years = record.years[record.observed]
    recent = years > 1998
    axes.plot(years[recent], record.co2[recent], ".", color=INK, markersize=3.5, label="weekly means")
    band(axes, run.curve("fit"), SEA, "fit: trend and season")
    dress(axes, "b", "The last four years", "year", PPM)
    axes.set_xlim(1998, 2002)
    axes.set_ylim(360, 382)
    axes.set_yticks(range(360, 381, 5))
    axes.set_xticks(range(1998, 2003))
    axes.legend(loc="upper left", frameon=False, fontsize=9)


def draw_growth(axes: Axes, run: Run) -> None:
    years, steps = yearly_growth(run)
    axes.bar(years, steps, width=0.8, color="#d5dade", label="change from year to year")
    slope, _, low, high = run.scalar("acceleration")
    band(axes, run.curve("growth"), EMBER, f"trend: +{slope:.3f} ({low:.3f} to {high:.3f}) ppm yr$^{{-2}}$")
    dress(axes, "c", "Growth rate", "year", r"growth (ppm yr$^{-1}$)")
    axes.set_xlim(1957.5, 2002.5)
    axes.set_ylim(0, 4.2)
    axes.legend(loc="upper left", frameon=False, fontsize=9)


def yearly_growth(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Differences of the means of calendar years, season taken out; each at the turn of the year."""
    record = run.record
    level = record.co2 - record.design[record.observed, 3:] @ record.coefficients[3:]
    calendar = record.years[record.observed].astype(int)
    years = np.arange(1959, 2002)
    means = np.array([level[calendar == year].mean() for year in years])
    return years[1:].astype(float), np.diff(means)


def draw_season(axes: Axes, run: Run) -> None:
    months, means, spread = monthly_season(run)
    axes.errorbar(months, means, spread, fmt="o", color=ASH, markersize=4, capsize=2, label="weeks of each month: mean, std. dev.")
    days, season, bottom, top = run.curve("season")
    axes.plot(days, season, color=LEAF, label=f"fit: three harmonics, 95 % band ±{np.mean(top - bottom) / 2:.2f} ppm", **STYLE)
    dress(axes, "d", "Season", "month", PPM + " about the trend")
    for name, height, align in (("peak_day", 4.2, "bottom"), ("trough_day", -4.6, "top")):
        estimate, _, low, high = run.scalar(name)
        text = f"{day_name(estimate)} ± {(high - low) / 2:.0f} days"
        axes.annotate(text, (estimate, height), ha="center", va=align, fontsize=9, color=INK)
    axes.set_xticks((np.arange(12) + 0.5) * 365.25 / 12, [name[0] for name in MONTHS])
    axes.set_xlim(0, 365)
    axes.set_ylim(-6.2, 8.4)
    axes.set_yticks(range(-6, 9, 2))
    axes.legend(loc="upper left", frameon=False, fontsize=9)


def monthly_season(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place of the middle of each month (days), mean of the observations about the trend, and their standard deviation."""
    record = run.record
    years = record.years[record.observed]
    about = record.co2 - record.design[record.observed, :3] @ record.coefficients[:3]
    month = (years % 1 * 12).astype(int)
    groups = [about[month == number] for number in range(12)]
    return (np.arange(12) + 0.5) * 365.25 / 12, np.array([g.mean() for g in groups]), np.array([g.std() for g in groups])


def draw_resamples(axes: Axes, run: Run) -> None:
    estimate, _, low, high = run.scalar("growth_now")
    resampled = run.resamples[:, 0, list(co2_model.QUANTITIES).index("growth_now")]
    counts, edges = np.histogram(resampled, bins=40)
    axes.axvspan(low, high, ymax=0.72, color=SEA, alpha=0.14, linewidth=0, label=f"95 % interval: {low:.2f} to {high:.2f} ppm yr$^{{-1}}$")
    axes.stairs(counts, edges, fill=True, color=SEA, alpha=0.8, label="resamples")
    axes.axvline(estimate, ymax=0.72, color=EMBER, label=f"estimate: {estimate:.2f} ppm yr$^{{-1}}$", **STYLE)
    dress(axes, "e", "Growth at the end of 2001", r"growth (ppm yr$^{-1}$)", "number of resamples")
    axes.set_ylim(0, counts.max() / 0.68)
    axes.legend(loc="upper left", frameon=False, fontsize=9)
