"""The script of the world in which latency is measured: calls to one engine and to all engines."""

from __future__ import annotations

from mpikernel.bench import inside, round_trips
from mpikernel.bench.measuring import Effort
from mpikernel.bench.sheet import MICROSECONDS, Sheet
from mpikernel.client.client import Client


def measure(client: Client, effort: Effort) -> Sheet:
    """One engine and all engines, each while the world is busy and after it has been idle."""
    targets = (("one engine", client[0]), (f"all engines ({len(client)})", client[:]))
    series = [figures for name, view in targets for figures in round_trips.measure(name, {"mpikernel apply_sync": view}, view, effort)]
    return Sheet("round trip of a call that does nothing", MICROSECONDS, (round_trips.RAW,), series, [round_trips.SPINNING])


if __name__ == "__main__":
    inside.run(measure)
