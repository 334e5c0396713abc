"""Pushes to shared memory, on several hosts as far as anybody is told: one copy on each, whatever order messages come in."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from mpikernel.arrays import shared_memory
from mpikernel.arrays.shared_memory import Area
from mpikernel.client import port
from mpikernel.client.areas import LOOK, MOST, SPARE, Areas
from mpikernel.client.client import Client
from mpikernel.errors import CompositeError, SerializeError
from mpikernel.testing.engines import THRESHOLD, Engines

DATA = numpy.arange(THRESHOLD, dtype=float)


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    return Engines(tmp_path, hosts=("a", "b", "b", "a", "c", "b"))


@pytest.fixture
def client(engines: Engines) -> Iterator[Client]:
    with engines.working() as client:
        yield client


def bound(engines: Engines, name: str = "x") -> list[Any]:
    return [runner.namespace.pull(name) for runner in engines.runners]


def mapping(array: Any) -> int:
    """Which file an array lies in (inode)."""
    address = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(word, 16) for word in line.split()[0].split("-"))
        if start <= address < end:
            return int(line.split()[4])
    raise AssertionError("mapped nowhere")


def test_each_host_has_one_copy(engines: Engines, client: Client) -> None:
    client[:].push({"x": DATA, "y": ["small", DATA * 2]}, block=True, share=True)
    values = bound(engines)
    assert all(numpy.array_equal(value, DATA) for value in values)
    assert all(numpy.array_equal(deep, DATA * 2) for _, deep in bound(engines, "y"))
    assert not any(value.flags.writeable for value in values)
    files = list(map(mapping, values))
    assert files[0] == files[3]
    assert files[1] == files[2] == files[5]
    assert len(set(files)) == 3


def test_leaders_let_go_when_all_have_it(engines: Engines, client: Client) -> None:
    client[:].push({"x": DATA}, block=True, share=True)
    engines.settle()
    assert [runner.state.sharing.made for runner in engines.runners] == [{}] * 6
    assert [runner.state.sharing.found for runner in engines.runners] == [{}] * 6


def test_a_push_waits_until_the_leader_has_told_and_keeps_its_turn(engines: Engines, client: Client) -> None:
    engines.asleep = {1}
    pushed = client[[1, 2]].push({"x": DATA}, block=False, share=True)
    read = client[2].execute("float(x[5])", block=False)
    engines.settle()
    assert len(engines.runners[2].state.queue) == 2
    assert not engines.runners[2].ready
    engines.asleep = set()
    assert read.get() == 5
    assert pushed.get() == [None, None]


@pytest.mark.parametrize("order", ["leader first", "fellow first"])
def test_who_hears_of_it_first_does_not_matter(engines: Engines, client: Client, order: str) -> None:
    engines.asleep = {2} if order == "leader first" else {1}
    pushed = client[[1, 2]].push({"x": DATA}, block=False, share=True)
    engines.settle()
    engines.asleep = set()
    assert pushed.get() == [None, None]
    assert numpy.array_equal(engines.runners[2].namespace.pull("x"), DATA)


def test_a_leader_that_is_busy_leads_all_the_same(engines: Engines, client: Client) -> None:
    engines.busy = {1}
    result = client[[1, 2]].push({"x": DATA}, block=False, share=True)
    engines.settle()
    assert [call.done is not None for call in result.calls] == [False, True]
    engines.busy = set()
    assert result.get() == [None, None]


@pytest.mark.parametrize("asleep", [set(), {1}])
def test_a_push_that_is_dropped_holds_nothing(engines: Engines, client: Client, asleep: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "CANCEL_PATIENCE", 0.05)
    engines.busy, engines.asleep = {1, 2}, asleep
    result = client[[1, 2]].push({"x": DATA}, block=False, share=True)
    engines.settle()
    result.abort()
    engines.busy, engines.asleep = set(), set()
    engines.settle()
    assert result.cancelled()
    for runner in engines.runners:
        assert (runner.state.sharing.made, runner.state.sharing.found, runner.state.sharing.unwanted) == ({}, {}, set())


def test_what_goes_wrong_at_the_leader_is_told_to_all_of_its_host(
    engines: Engines, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared_memory, "FOLDER", str(tmp_path / "nowhere"))
    result = client[[1, 2, 5]].push({"x": DATA}, block=False, share=True)
    with pytest.raises(
        CompositeError, match=r"failed in 3 of 3 calls: \[engines 1, 2, 5\] SerializeError: .*nowhere of this host"
    ) as caught:
        result.get()
    assert all(isinstance(error, SerializeError) for error in caught.value.exceptions)
    monkeypatch.undo()
    client[:].push({"x": DATA}, block=True, share=True)


def test_what_goes_wrong_here_sends_nothing(engines: Engines, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared_memory, "FOLDER", str(tmp_path / "nowhere"))
    with pytest.raises(SerializeError, match="nowhere of this host cannot hold"):
        client[:].push({"x": DATA}, share=True)
    assert not engines.state.open


def test_an_engine_that_is_named_twice(engines: Engines, client: Client) -> None:
    client[[1, 1, 0, 0]].push({"x": DATA}, block=True, share=True)
    assert numpy.array_equal(engines.runners[1].namespace.pull("x"), DATA)
    assert numpy.array_equal(engines.runners[0].namespace.pull("x"), DATA)


def test_what_is_small_is_pushed_as_ever(engines: Engines, client: Client) -> None:
    client[:].push({"x": DATA[:100]}, block=True, share=True)
    assert all(value.flags.writeable for value in bound(engines))


# areas that are used again ------------------------------------------------------------------------------------------------


def test_an_area_is_used_again_when_nobody_has_it(engines: Engines, client: Client) -> None:
    files = []
    for number in range(4):
        client[0].push({"x": DATA + number}, block=True, share=True)
        files.append(mapping(engines.runners[0].namespace.pull("x")))
    assert files[0] == files[2] != files[1] == files[3]


def test_an_area_that_nobody_uses_is_given_up_soon() -> None:
    areas, size = Areas(), 1 << 12
    area = areas.take(size)
    areas.keep(area)
    areas.tidy(10.0)
    areas.tidy(10.0 + SPARE - LOOK)
    assert areas.take(size) is area
    areas.keep(area)
    number, area = id(area), areas.take(2 * size)
    for now in (20.0, 20.0 + SPARE):
        areas.tidy(now)
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Area) and id(each) == number]


def test_only_so_many_are_remembered() -> None:
    areas = Areas()
    first = areas.take(1 << 12)
    areas.keep(first)
    for _ in range(MOST):
        areas.keep(Area(1 << 13))
    assert areas.take(1 << 12) is not first
