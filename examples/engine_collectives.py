"""Engines speak MPI among themselves, while the script only says what should happen.

    ipcluster run -n 5 examples/engine_collectives.py

First: an array is scattered, the engines agree on its mean and deviation by Allreduce and each standardizes its part; gathered again, the
whole has mean 0 and deviation 1. Then: a function written for plain mpi4py, which knows nothing of mpikernel and says MPI.COMM_WORLD,
computes pi. On an engine that name is the communicator of the engines alone, so it waits for nobody else.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from mpikernel import Client, Reference, engine


def standardize(part: np.ndarray) -> float:
    """Runs on all engines at once: gives the whole, of which each has a part, mean 0 and deviation 1. Returns the mean that it had."""
    sums = np.array([part.size, part.sum(), (part**2).sum()])
    engine.comm.Allreduce(MPI.IN_PLACE, sums)
    mean = sums[1] / sums[0]
    part[:] = (part - mean) / np.sqrt(sums[2] / sums[0] - mean**2)
    return float(mean)


def plain_mpi4py_pi(steps: int) -> float:
    """Runs on all engines at once. Midpoint rule for the integral of 4 / (1 + x^2), as in every MPI course."""
    comm = MPI.COMM_WORLD
    x = (np.arange(comm.rank, steps, comm.size) + 0.5) / steps
    total: float = comm.allreduce(float((4 / (1 + x**2)).sum()))
    return total / steps


def main() -> None:
    engines = Client()[:]
    engines.block = True

    numbers = np.random.default_rng(7).gamma(3.0, 2.0, size=1_000_000)
    engines.scatter("part", numbers)
    means = engines.apply(standardize, Reference("part"))  # each engine puts its own part there
    print(f"mean, as each of {len(means)} engines knows it:", *(f"{mean:.6f}" for mean in means))
    print(f"mean of the array in the script:{numbers.mean():13.6f}")
    result = engines.gather("part")
    print(f"standardized: mean {abs(result.mean()):.6f}, deviation {result.std():.6f}, {result.size} numbers")

    print("pi by plain mpi4py:", *(f"{pi:.10f}" for pi in engines.apply(plain_mpi4py_pi, 1_000_000)))


if __name__ == "__main__":
    main()
