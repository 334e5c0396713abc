"""What `ipcluster history` tells of the ledger that a world left in the test's folder."""

from __future__ import annotations

import json
from typing import Any

from tests.harness.environments import ROOT
from tests.harness.world import World


def history(world: World, *options: str) -> str:
    """What it prints."""
    __tracebackhide__ = True
    program = [world.mpi.python, ROOT / "bin" / "ipcluster", "history", world.cwd / ".mpikernel", *options]
    return world.command(program).stdout


def records(world: World, *options: str) -> list[dict[str, Any]]:
    """The records of the last run, in the order of their submission."""
    __tracebackhide__ = True
    return [json.loads(line) for line in history(world, "--json", *options).splitlines()]
