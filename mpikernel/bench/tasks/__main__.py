"""The script of the world in which tasks are measured."""

from __future__ import annotations

from mpikernel.bench import inside
from mpikernel.bench.tasks import answering, filling, memory, quiet, throughput

if __name__ == "__main__":
    inside.run(throughput.measure, answering.measure, filling.measure, memory.measure, quiet.measure)
