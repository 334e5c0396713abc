"""The script of the world in which arrays are measured."""

from __future__ import annotations

from mpikernel.bench import inside
from mpikernel.bench.arrays import all_engines, footprint, from_file, nested, one_engine, shared

if __name__ == "__main__":
    inside.run(one_engine.measure, nested.measure, all_engines.measure, from_file.measure, footprint.measure, shared.measure)
