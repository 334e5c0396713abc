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
ALL_FOUR = ["mpikernel", "mpikernel, fresh memory", "raw, kept memory", "raw, fresh memory"]
SHARED = "mpikernel, share=True"
GROWN = ["all ranks", "rank 0: controller", "rank 1: script", "rank 2: task", "rank 3: engine", "rank 4: engine"]

CALLS = ("single submits", "map, chunksize 1", "map, default chunks", "map, the same array for each")
NAPS = ("tasks of 1 ms", "tasks of 10 ms", "uneven tasks of 10 ms")
#: Who takes part only where it is installed.
GUESTS = {"schwimmbad", "joblib", "ipyparallel"}

Cases = dict[str, list[str]]

#: For each bench its sections, for each of them its cases, and who takes part.
SECTIONS: dict[str, list[Cases]] = {
    "latency": [
        {
            f"{who}, {when}": ["mpikernel apply_sync", RAW]
            for who in ("one engine", "all engines (2)")
            for when in ("back to back", "after 50 ms idle")
        }
    ],
    "tasks": [
        {case: ["mpikernel", RAW, "mpi4py.futures", "ProcessPoolExecutor"] for case in CALLS},
        {f"apply_sync, {when}": ["mpikernel", "mpikernel, client[0]", RAW] for when in ("back to back", "after 50 ms idle")},
        {case: ["mpikernel", "a loop on each engine", "ideal"] for case in NAPS},
        {"imap of many items": ["controller and interfaces"]},
        {"idle world": [f"rank {rank}" for rank in range(5)]},
    ],
    "arrays": [
        {"push 1 KiB": ALL_FOUR, "push 64 KiB": ALL_FOUR, "pull 1 KiB": ALL_FOUR, "pull 64 KiB": ALL_FOUR},
        {
            "push 512 KiB": ["plain", "in a dict in a list", "argument of apply"],
            "pull 512 KiB": ["plain", "in a dict in a list", "result of apply"],
        },
        {
            "push 512 KiB": [*ALL_FOUR[:2], SHARED, *ALL_FOUR[2:]],
            "scatter 512 KiB": ALL_FOUR,
            "gather 512 KiB": ALL_FOUR,
            "gather 512 KiB, uneven parts": ALL_FOUR,
        },
        {"scatter 4 MiB": ["mpikernel", "plain h5py"]},
        {"push 2 MiB to one engine": GROWN, "scatter 4 MiB from a file": GROWN},
        {"push 16 MiB to all engines": ["mpikernel", SHARED]},
    ],
    "startup": [{"until ready": ["mpikernel", RAW], "start to end": ["mpikernel", RAW], "import mpikernel": ["mpikernel"]}],
}
WITHOUT_RAW = {
    *("import mpikernel", "push 2 MiB to one engine", "scatter 4 MiB from a file", "push 16 MiB to all engines"),
    *("imap of many items", "idle world"),
}


def bench(world: World, *words: str, expect: int = 0, **environ: str) -> Finished:
    return world.command([world.mpi.python, "-m", "mpikernel.bench", *words], limit=LIMIT, expect=expect, env=environ)


def read(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text())
    return told


@pytest.mark.parametrize("name", SECTIONS)
def test_a_bench_prints_its_table_and_writes_it_as_json(world: World, name: str) -> None:
    run = bench(world, name, "-n", "5", "--quick", "--json", "figures.json")
    told = read(world.cwd / "figures.json")
    lines = run.stdout.splitlines()
    assert told["bench"] == name
    assert [contestants_by_case(section) for section in told["sections"]] == SECTIONS[name]
    for section in told["sections"]:
        assert f"{section['title']}, in {section['unit']}" in lines
        assert {f"note: {note}" for note in section["notes"]} <= set(lines)
        for result in section["results"]:
            assert result["case"] in lines
            assert any(line.startswith(f"  {result['contestant']} ") for line in lines)
            assert result["min"] <= result["median"] <= result["max"]
            assert result["min"] >= 0 or section["unit"] == "MiB", "only memory can become less"
            assert all(ratio > 0 for ratio in result["ratios"].values())
            assert bool(result["ratios"]) == (result["case"] not in WITHOUT_RAW)
    assert [path.name for path in world.cwd.iterdir()] == ["figures.json"]


def contestants_by_case(section: dict[str, Any]) -> Cases:
    cases: Cases = {}
    for result in section["results"]:
        if result["contestant"] not in GUESTS:
            cases.setdefault(result["case"], []).append(result["contestant"])
    return cases


def test_memory_that_a_push_takes_is_found_where_it_is_held(world: World) -> None:
    bench(world, "arrays", "-n", "5", "--quick", "--json", "figures.json")
    *_, memory, copies = read(world.cwd / "figures.json")["sections"]
    grown = {result["contestant"]: result["median"] for result in memory["results"] if result["case"].startswith("push")}
    assert grown["rank 3: engine"] >= 2  # MiB: the array itself
    assert grown["all ranks"] >= grown["rank 3: engine"]
    assert grown["rank 4: engine"] < 2
    own, shared = (result["median"] for result in copies["results"])
    assert 0 < shared < own


def test_arrays_are_measured_in_the_smallest_world(world: World) -> None:
    bench(world, "arrays", "-n", "2", "--quick", "--json", "figures.json")
    *_, memory, _ = read(world.cwd / "figures.json")["sections"]
    assert contestants_by_case(memory)["push 2 MiB to one engine"] == ["all ranks", "rank 0: controller, task, script", "rank 1: engine"]
    assert [bar["contestant"] for bar in memory["bars"]] == ["all ranks", "rank 0: controller, task, script"]  # for the push, for the file


def test_a_table_says_where_it_was_measured(world: World) -> None:
    run = bench(world, "latency", "-n", "2", "--quick", "--json", "figures.json")
    place = read(world.cwd / "figures.json")["place"]
    assert {"openmpi": "Open MPI", "mpich": "MPICH"}[world.mpi.name] in place["mpi"]
    assert (place["ranks"], place["engines"], place["hosts"]) == (2, 1, 1)
    first, second = run.stdout.splitlines()[:2]
    assert f"latency on ranks: 2, engines: 1, hosts: 1, cores: {place['cores']}" in first
    assert f"{place['mpi']}, mpi4py {place['mpi4py']}, Python {place['python']}" in second


@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("latency", "-n", "1"), "-n 1 leaves raw mpi4py nobody to talk to: a bench needs 2 ranks or more"),
        (("latency", "--mpiexec", "nosuchmpiexec"), "nosuchmpiexec cannot be started"),
        (("speed",), "there is no 'speed'; there are latency, tasks, arrays, startup"),
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
