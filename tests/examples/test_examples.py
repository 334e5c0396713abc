"""The short examples, each in a real world: what they print is compared with what is computed here in another way."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.harness.world import World

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(("ranks", "engines"), [(1, 1), (3, 2), (5, 2)])
def test_hello_greets_once_from_each_engine(world: World, ranks: int, engines: int) -> None:
    lines = world(ranks, EXAMPLES / "hello.py").stdout.splitlines()
    assert [line.split(" on ")[0] for line in lines] == [f"Hello world, engine {i} of {engines}" for i in range(engines)]
    assert len({line.split("process ")[1] for line in lines}) == engines


def test_parallel_map_counts_primes_in_order_and_as_they_come(world: World) -> None:
    run = world(5, EXAMPLES / "parallel_map.py")
    limits = range(10_000, 100_001, 10_000)
    primes = {limit: count_primes(limit) for limit in limits}
    in_order = [(limit, primes[limit]) for limit in (100_000, 90_000, 80_000)]
    assert f"direct, in order:   {in_order} ..." in run.stdout
    assert f"balanced, in order: {in_order} ..." in run.stdout
    as_they_came = re.findall(r"(\d+) primes below +(\d+)", run.stdout)
    assert {int(limit): int(count) for count, limit in as_they_came} == primes
    assert len(as_they_came) == len(primes)


def test_parallel_map_shows_errors_where_they_happened(world: World) -> None:
    stdout = world(5, EXAMPLES / "parallel_map.py").stdout
    in_place, raised = stdout.split("one bad item, its exception in its place:\n")[1].split("one bad item, raised:\n")
    assert in_place.splitlines() == ["  (100, 25)", "  ValueError('no primes below 1')", "  (1000, 168)"]
    assert re.match(r"\[engine [01]\] ValueError: no primes below 1\n", raised)
    assert "in primes_below" in raised
    assert 'raise ValueError(f"no primes below {limit}")' in raised


def count_primes(limit: int) -> int:
    composite = np.zeros(limit, dtype=bool)
    for number in range(2, int(limit**0.5) + 1):
        composite[2 * number :: number] = True
    return int((~composite[2:]).sum())


def test_wordfreq_counts_the_texts(world: World) -> None:
    run = world(5, EXAMPLES / "wordfreq.py")
    text = " ".join(path.read_text(encoding="utf-8").lower() for path in (EXAMPLES / "data" / "texts").glob("*.txt"))
    words = Counter("".join(c if c.isalpha() or c == "'" else " " for c in text).replace("' ", " ").replace(" '", " ").split())
    assert run.stdout.startswith(f"{words.total():,} words in ")
    found = {word: int(count) for count, word in re.findall(r"^ +(\d+)  (\S+)$", run.stdout, re.MULTILINE)}
    assert len(found) == 10
    assert found == {word: words[word] for word in found}
    assert min(found.values()) >= max(count for word, count in words.items() if word not in found)


def test_wordfreq_reads_the_files_it_is_given(world: World, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("To be, or not to be.\n\nThat is the question.\n")
    run = world(2, EXAMPLES / "wordfreq.py", "short.txt")
    assert run.stdout.startswith("10 words in 2 paragraphs of 1 files, 8 different ones\n     2  to\n     2  be\n")


def test_engine_collectives_agree_on_the_mean_and_on_pi(world: World) -> None:
    lines = world(5, EXAMPLES / "engine_collectives.py").stdout.splitlines()
    mean = np.random.default_rng(7).gamma(3.0, 2.0, size=1_000_000).mean()
    assert lines[0] == f"mean, as each of 2 engines knows it: {mean:.6f} {mean:.6f}"
    assert lines[2] == "standardized: mean 0.000000, deviation 1.000000, 1000000 numbers"
    assert lines[3] == f"pi by plain mpi4py: {np.pi:.10f} {np.pi:.10f}"


def test_monte_carlo_prices_are_within_their_error_bars(world: World) -> None:
    prices = read_prices(world(5, EXAMPLES / "monte_carlo_options.py", "40").stdout)
    european, error = prices["European call"]
    assert abs(european - integrate_european_call()) < 4 * error
    assert 0.02 < error < 0.06  # 200,000 paths of a payoff that deviates by about 16
    geometric, arithmetic, barrier = (
        prices[name][0] for name in ("call on the geometric mean", "call on the arithmetic mean", "down-and-out call")
    )
    assert geometric < arithmetic < barrier < european


def test_monte_carlo_prices_do_not_depend_on_the_number_of_engines(world: World) -> None:
    one, two, three = (world(ranks, EXAMPLES / "monte_carlo_options.py", "12").stdout for ranks in (1, 3, 6))
    assert one == two == three


def test_monte_carlo_closed_forms_are_right(world: World) -> None:
    stdout = world(1, EXAMPLES / "monte_carlo_options.py", "2").stdout
    exact = re.findall(r"^(.{28}) .{9} .{11} +([\d.]+) ", stdout, re.MULTILINE)
    assert {name.strip(): float(value) for name, value in exact} == {
        "European call": pytest.approx(integrate_european_call(), abs=1e-4),
        "call on the geometric mean": pytest.approx(integrate_geometric_call(), abs=1e-4),
    }


def read_prices(stdout: str) -> dict[str, tuple[float, float]]:
    rows = re.findall(r"^(.{28}) +([\d.]+) +([\d.]+) ", stdout, re.MULTILINE)
    return {name.strip(): (float(price), float(error)) for name, price, error in rows}


def integrate_european_call() -> float:
    return integrate_call(np.log(100) + 0.03 - 0.25**2 / 2, 0.25**2)


def integrate_geometric_call() -> float:
    """The mean of the logarithms on 50 days is normal: its variance is the mean of min(s, t) over all pairs of days."""
    days = np.arange(1, 51) / 50
    variance = 0.25**2 * np.minimum.outer(days, days).mean()
    return integrate_call(np.log(100) + (0.03 - 0.25**2 / 2) * days.mean(), variance)


def integrate_call(mean: float, variance: float) -> float:
    """Discounted expectation of max(exp(X) - 105, 0), X normal, by the trapezoidal rule."""
    x = np.linspace(-10, 10, 400_001)
    payoff = np.maximum(np.exp(mean + np.sqrt(variance) * x) - 105, 0) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    return float(np.exp(-0.03) * payoff.sum() * (x[1] - x[0]))
