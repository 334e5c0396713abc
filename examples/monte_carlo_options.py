"""Prices options by Monte Carlo, with error bars, beside the closed forms where there are any.

    ipcluster run -n 5 examples/monte_carlo_options.py [BATCHES]

prints four options on the same stock. The European call (F. Black, M. Scholes, 1973) and the call on the geometric mean (A. Kemna,
A. Vorst, 1990) have closed forms: their errors should be within two or three standard errors. The call on the arithmetic mean and the
barrier option depend on the whole path and have none. Every batch draws from a random stream of its own, so prices do not depend on
the number of engines.
"""

from __future__ import annotations

import sys
from statistics import NormalDist

import numpy as np

from mpikernel import Client

SPOT, STRIKE, BARRIER, RATE, VOLATILITY, MATURITY = 100.0, 105.0, 85.0, 0.03, 0.25, 1.0
STEPS, PATHS, SEED = 50, 5_000, 1973
NAMES = ("European call", "call on the geometric mean", "call on the arithmetic mean", "down-and-out call")


def paths(batch: int) -> np.ndarray:
    """(PATHS, STEPS) prices of a stock that follows geometric Brownian motion, without the first."""
    rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(batch,)))
    dt = MATURITY / STEPS
    steps = (RATE - VOLATILITY**2 / 2) * dt + VOLATILITY * np.sqrt(dt) * rng.standard_normal((PATHS, STEPS))
    growth: np.ndarray = np.exp(np.cumsum(steps, axis=1))
    return SPOT * growth


def price_batch(batch: int) -> np.ndarray:
    """Runs on an engine: (2, options), the sums of the discounted payoffs and of their squares."""
    stock = paths(batch)
    last = stock[:, -1]
    call = np.maximum(last - STRIKE, 0)
    geometric = np.maximum(np.exp(np.log(stock).mean(axis=1)) - STRIKE, 0)
    arithmetic = np.maximum(stock.mean(axis=1) - STRIKE, 0)
    alive = stock.min(axis=1) > BARRIER
    payoffs = np.exp(-RATE * MATURITY) * np.stack([call, geometric, arithmetic, call * alive])
    return np.stack([payoffs.sum(axis=1), (payoffs**2).sum(axis=1)])


def lognormal_call(mean: float, variance: float) -> float:
    """Discounted expectation of max(exp(X) - STRIKE, 0) for a normal X."""
    d = (mean - np.log(STRIKE)) / np.sqrt(variance)
    cdf = NormalDist().cdf
    return float(np.exp(-RATE * MATURITY) * (np.exp(mean + variance / 2) * cdf(d + np.sqrt(variance)) - STRIKE * cdf(d)))


def closed_forms() -> list[float | None]:
    """In the order of NAMES."""
    drift, variance = (RATE - VOLATILITY**2 / 2) * MATURITY, VOLATILITY**2 * MATURITY
    share, share_squared = (STEPS + 1) / (2 * STEPS), (STEPS + 1) * (2 * STEPS + 1) / (6 * STEPS**2)
    european = lognormal_call(np.log(SPOT) + drift, variance)
    geometric = lognormal_call(np.log(SPOT) + drift * share, variance * share_squared)
    return [european, geometric, None, None]


def main() -> None:
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    view = Client().load_balanced_view()
    sums, squares = np.sum(view.map_sync(price_batch, range(batches)), axis=0)
    n = batches * PATHS
    prices = sums / n
    errors = np.sqrt((squares / n - prices**2) / (n - 1))

    print(f"{n:,} paths of {STEPS} steps")
    print(f"{'option':28} {'price':>9} {'std. error':>11} {'closed form':>12} {'difference':>11}")
    for name, price, error, exact in zip(NAMES, prices, errors, closed_forms(), strict=True):
        compared = f"{exact:12.4f} {(price - exact) / error:+8.1f} SE" if exact else f"{'none':>12}"
        print(f"{name:28} {price:9.4f} {error:11.4f} {compared}")


if __name__ == "__main__":
    main()
