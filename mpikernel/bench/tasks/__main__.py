"""The script of the world in which tasks are measured."""

from __future__ import annotations

from mpikernel.bench import inside
from mpikernel.bench.tasks import filling, memory, quiet, throughput

if __name__ == "__main__":
    inside.run(throughput.measure, filling.measure, memory.measure, quiet.measure)
