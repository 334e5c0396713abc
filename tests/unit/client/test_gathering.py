"""Gathers, step by step: what lands where, what comes unasked, and what becomes of those that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from mpikernel.client import gathering
from mpikernel.client.client import Client
from mpikernel.client.gathering import LARGE
from mpikernel.errors import CompositeError, SerializeError, UsageError
from mpikernel.testing.engines import Engines

ROWS = LARGE // 8


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    return Engines(tmp_path, hosts=("a", "a", "a"))


@pytest.fixture
def client(engines: Engines) -> Iterator[Client]:
    with engines.working() as client:
        yield client


def bind(engines: Engines, *values: Any) -> None:
    for runner, value in zip(engines.runners, values, strict=True):
        runner.namespace.push(("x",), (value,))


def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the wholes for which memory is taken from now on."""
    sizes: list[int] = []

    def take(size: int) -> memoryview:
        sizes.append(size)
        return memoryview(bytearray(size))

    monkeypatch.setattr(gathering, "take", take)
    return sizes


def test_parts_land_in_the_whole(engines: Engines, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [numpy.full(ROWS + number, float(number)) for number in range(3)]
    bind(engines, *parts)
    sizes = taken(monkeypatch)
    result = client[:].gather("x", block=False)
    whole = result.get()
    assert numpy.array_equal(whole, numpy.concatenate(parts))
    assert sizes == [whole.nbytes]
    assert all(numpy.shares_memory(value, whole) for value in result)
    assert not engines.state.gathers


def test_small_parts_come_at_once(engines: Engines, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    bind(engines, *[numpy.zeros(ROWS - 1)] * 3)
    sizes = taken(monkeypatch)
    assert client[:].gather("x", block=True).shape == (3 * (ROWS - 1),)
    assert sizes == []


def test_parts_dealt_round_robin_come_one_after_the_other(engines: Engines, client: Client) -> None:
    whole = numpy.arange(6.0 * ROWS).reshape(-1, 2)
    bind(engines, *(whole[start::3] for start in range(3)))
    result = client[:].gather("x", dist="r", block=False)
    assert numpy.array_equal(result.get(), whole)
    received = [call.received for call in result.calls]
    assert received == sorted(received)
    assert all(numpy.shares_memory(value, result.get()) for value in result)


def test_nobody_needs_to_wait_for_it(engines: Engines, client: Client) -> None:
    bind(engines, *[numpy.ones(ROWS)] * 3)
    told: list[Any] = []
    client[:].gather("x", block=False).add_done_callback(lambda result: told.append(result.result()))
    engines.settle()
    assert told[0].sum() == 3 * ROWS


def test_a_part_comes_unasked_before_it_can_change(engines: Engines, client: Client) -> None:
    bind(engines, *(numpy.full(ROWS, float(number)) for number in range(3)))
    engines.busy = {2}  # is busy, so nothing is asked for yet
    before = client[:].gather("x", block=False)
    client[:].execute("x += 10", block=False)
    after = client[:].gather("x", block=False)
    engines.settle()
    assert [call.done is not None for call in before.calls] == [True, True, False]
    assert engines.runners[0].namespace.pull("x")[0] == 10
    engines.busy = set()
    assert before.get()[::ROWS].tolist() == [0, 1, 2]
    assert after.get()[::ROWS].tolist() == [10, 11, 12]


def test_a_part_that_waits_to_be_asked_for_holds_up_no_other_gather(engines: Engines, client: Client) -> None:
    bind(engines, *[numpy.ones(ROWS)] * 3)
    engines.busy = {1, 2}
    first, second = (client[:].gather("x", block=False) for _ in range(2))
    engines.settle()
    assert len(engines.runners[0].state.promised) == 2
    engines.busy = set()
    assert first.get().sum() == second.get().sum() == 3 * ROWS
    assert not engines.runners[0].state.promised


def test_a_part_that_another_thread_changed_is_joined(engines: Engines, client: Client) -> None:
    parts = [numpy.full((ROWS, 2), float(number)) for number in range(3)]
    bind(engines, *parts)
    engines.busy = {2}
    result = client[:].gather("x", block=False)
    engines.settle()
    parts[0].shape = (ROWS // 2, 4)  # as its description no longer says, with as many bytes
    engines.busy = set()
    with pytest.raises(UsageError, match=rf"do not fit together.*engine 0: \({ROWS // 2}, 4\)"):
        result.get()
    assert [value[0, 0] for value in result] == [0, 1, 2]


def test_a_part_that_grew_meanwhile_is_joined(engines: Engines, client: Client) -> None:
    parts = [numpy.full(ROWS, float(number)) for number in range(3)]
    bind(engines, *parts)
    engines.busy = {2}
    result = client[:].gather("x", block=False)
    engines.settle()
    parts[0].resize(ROWS + 5, refcheck=False)
    engines.busy = set()
    assert result.get().shape == (3 * ROWS + 5,)


def test_parts_that_do_not_fit_together_can_still_be_had_one_by_one(engines: Engines, client: Client) -> None:
    bind(engines, *(numpy.full((ROWS, 1 + number), float(number)) for number in range(3)))
    result = client[[2, 0]].gather("x", block=False)
    with pytest.raises(UsageError, match=rf"parts are engine 2: \({ROWS}, 3\) float64, engine 0: \({ROWS}, 1\) float64"):
        result.get()
    assert [value.shape for value in result] == [(ROWS, 3), (ROWS, 1)]


def test_an_engine_without_the_name_fails_the_gather_and_no_other_part(engines: Engines, client: Client) -> None:
    for runner in engines.runners[:2]:
        runner.namespace.push(("x",), (numpy.ones(ROWS),))
    result = client[:].gather("x", block=False)
    with pytest.raises(CompositeError, match=r"gather x failed in 1 of 3 calls: \[engine 2\] NameError"):
        result.get()
    assert next(iter(result)).sum() == ROWS


def test_no_memory_for_the_whole_sends_nothing(engines: Engines, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(size: int) -> memoryview:
        raise SerializeError(f"no memory for a buffer of {size} bytes on this rank")

    bind(engines, *[numpy.ones(ROWS)] * 3)
    monkeypatch.setattr(gathering, "take", refuse)
    result = client[:].gather("x", block=False)
    with pytest.raises(SerializeError, match=f"no memory for a buffer of {24 * ROWS} bytes"):
        result.get()
    assert isinstance(result.exception(), SerializeError)
    assert all(call.frames == () for call in result.calls)
    monkeypatch.undo()
    assert client[:].gather("x", block=True).shape == (3 * ROWS,)


def test_a_gather_that_has_begun_is_not_cancelled(engines: Engines, client: Client) -> None:
    bind(engines, *[numpy.ones(ROWS)] * 3)
    engines.busy = {2}
    result = client[:].gather("x", block=False)
    engines.settle()
    result.abort()
    engines.busy = set()
    assert result.wait(5)
    with pytest.raises(CompositeError, match="failed in 1 of 3 calls"):
        result.get()
