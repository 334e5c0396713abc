"""The benches, run small: each prints its table and writes the same as JSON. What the figures are is nobody's business here."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.harness.report import Finished
from tests.harness.waiting import wait_until
from tests.harness.world import World

LIMIT = 120.0  # seconds; the bench of tasks starts two times as many ranks as there are in its world

RAW = "raw mpi4py"
CONTESTANTS = {
    "latency": {"mpikernel apply_sync", RAW},
    "tasks": {"mpikernel", RAW, "mpi4py.futures"},
    "bandwidth": {"mpikernel", "raw, fresh memory", "raw, kept memory"},
    "startup": {"mpikernel", RAW},
}
CASES = {
    "latency": [f"{who}, {when}" for who in ("one engine", "all engines (2)") for when in ("back to back", "after 50 ms idle")],
    "tasks": ["single submits", "map, chunksize 1", "map, chunksize 100", "map, chunksize 1000"],
    "bandwidth": [f"{way} {size} KiB" for way in ("push", "pull") for size in (1, 8, 64, 512)],
    "startup": ["until ready", "start to end", "import mpikernel"],
}
WITHOUT_RAW = {"import mpikernel"}


def bench(world: World, *words: str, expect: int = 0, **environ: str) -> Finished:
    return world.command([world.mpi.python, "-m", "mpikernel.bench", *words], limit=LIMIT, expect=expect, env=environ)


def read(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text())
    return told


@pytest.mark.parametrize("name", CASES)
def test_a_bench_prints_its_table_and_writes_it_as_json(world: World, name: str) -> None:
    run = bench(world, name, "-n", "5", "--quick", "--json", "figures.json")
    told = read(world.cwd / "figures.json")
    assert told["bench"] == name
    assert told["notes"] == [note for note in told["notes"] if f"note: {note}" in run.stdout]
    assert list(dict.fromkeys(result["case"] for result in told["results"])) == CASES[name]
    assert {result["contestant"] for result in told["results"]} == CONTESTANTS[name]
    assert set(CASES[name]) <= set(run.stdout.splitlines())
    assert {
        line[2:].split("  ")[0] for line in run.stdout.splitlines() if line.startswith("  ") and line.strip()[0].isalpha()
    } >= CONTESTANTS[name]
    for result in told["results"]:
        assert 0 < result["min"] <= result["median"] <= result["max"]
        assert all(ratio > 0 for ratio in result["time_over"].values())
        assert bool(result["time_over"]) == (result["case"] not in WITHOUT_RAW)
    assert [path.name for path in world.cwd.iterdir()] == ["figures.json"]


def test_a_table_says_where_it_was_measured(world: World) -> None:
    run = bench(world, "latency", "-n", "2", "--quick", "--json", "figures.json")
    place = read(world.cwd / "figures.json")["place"]
    assert {"openmpi": "Open MPI", "mpich": "MPICH"}[world.mpi.name] in place["mpi"]
    assert (place["ranks"], place["engines"], place["hosts"]) == (2, 1, 1)
    second, third = run.stdout.splitlines()[1:3]
    assert f"{place['mpi']}, mpi4py {place['mpi4py']}, Python {place['python']}" in second
    assert f"ranks: 2, engines: 1, hosts: 1, cores: {place['cores']}" in third


@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("latency", "-n", "1"), "-n 1 leaves raw mpi4py nobody to talk to: a bench needs 2 ranks or more"),
        (("latency", "--mpiexec", "nosuchmpiexec"), "nosuchmpiexec cannot be started"),
        (("speed",), "there is no 'speed'; there are latency, tasks, bandwidth, startup"),
        (("startup", "-n", "2", "--quick", "--json", "nowhere/figures.json"), "cannot be written to nowhere/figures.json: No such file"),
    ],
)
def test_what_cannot_be_measured_is_said(world: World, words: tuple[str, ...], message: str) -> None:
    run = bench(world, *words, expect=2)
    assert message in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)
def test_a_bench_among_ranks_is_refused(world: World) -> None:
    run = world.command([world.mpi.mpiexec, "-n", "2", world.mpi.python, "-m", "mpikernel.bench", "latency"], expect=2)
    assert "this is one of 2 ranks (PMI_SIZE), but a bench is one plain process" in run.stderr


@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)
def test_a_world_that_cannot_start_tells_why_and_the_bench_tells_which(world: World) -> None:
    run = bench(world, "latency", "-n", "2", "--quick", expect=2, MPIKERNEL_INTERFACES="2")
    assert "2 interface ranks asked for" in run.stderr
    assert re.search(r"mpikernel\.bench: \S*mpiexec -n 2 .* ended with exit code 2", run.stderr)
    assert list(world.cwd.iterdir()) == []


def test_an_interrupted_bench_leaves_nothing(world: World) -> None:
    with world.start_command([world.mpi.python, "-m", "mpikernel.bench", "latency", "-n", "4"], limit=LIMIT) as running:
        assert wait_until(lambda: any(world.cwd.glob(".mpikernel-bench-*/log/engine-0.out")), LIMIT)
        running.send_signal(signal.SIGINT)
        assert running.wait().exit_code == 130
    assert list(world.cwd.iterdir()) == []
