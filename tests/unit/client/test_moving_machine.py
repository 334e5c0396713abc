"""Any mix of pushes, gathers and changes, given without waiting to engines that are busy or slow, does what it would do one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView
from mpikernel.client.gathering import LARGE
from mpikernel.client.result import AsyncResult
from mpikernel.testing.engines import Engines

COUNT = 4
ROWS = LARGE // 16
Step = Callable[["Both"], None]


class Both:
    """Engines, and what they should have: the array x on each."""

    def __init__(self, engines: Engines, view: DirectView) -> None:
        self.engines = engines
        self.view = view
        self.model = [numpy.zeros((ROWS, 2)) for _ in range(COUNT)]
        self.expected: list[tuple[AsyncResult, Any]] = []  # gathers under way, and what they should bring

    def push(self, rows: int, value: float, share: bool) -> None:
        array = numpy.full((rows, 2), value)
        self.view.push({"x": array}, block=False, share=share)
        self.model = [array.copy() for _ in range(COUNT)]

    def scatter(self, rows: int, dist: str, order: str) -> None:
        array = numpy.arange(2.0 * rows).reshape((rows, 2), order=order)  # type: ignore[call-overload]  # any of C and F
        self.view.scatter("x", array, dist=dist, block=False)
        blocks = numpy.array_split(array, COUNT)
        self.model = [numpy.array(array[start::COUNT] if dist == "r" else blocks[start]) for start in range(COUNT)]

    def add(self, engine: int) -> None:
        self.view.client[engine].execute("x = x.copy() if not x.flags.writeable else x\nx += 1", block=False)
        self.model[engine] = self.model[engine] + 1

    def gather(self, backwards: bool) -> None:
        order = slice(None, None, -1) if backwards else slice(None)
        self.expected.append((self.view.client[order].gather("x", block=False), numpy.concatenate(self.model[order])))

    def occupy(self, busy: set[int], asleep: set[int]) -> None:
        self.engines.settle()
        self.engines.busy, self.engines.asleep = busy, asleep

    def compare(self) -> None:
        self.engines.busy, self.engines.asleep = set(), set()
        for result, expected in self.expected:
            assert numpy.array_equal(result.get(), expected)
        assert all(numpy.array_equal(x, model) for x, model in zip(self.view["x"], self.model, strict=True))


lengths = st.sampled_from([0, 1, COUNT, ROWS - 1, ROWS, ROWS + 3, COUNT * ROWS, COUNT * ROWS + 1])
some = st.sets(st.integers(0, COUNT - 1))
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda rows, value, share: lambda both: both.push(rows, value, share), lengths, st.floats(-9, 9), st.booleans()),
    st.builds(
        lambda rows, dist, order: lambda both: both.scatter(rows, dist, order), lengths, st.sampled_from("br"), st.sampled_from("CF")
    ),
    st.builds(lambda engine: lambda both: both.add(engine), st.integers(0, COUNT - 1)),
    st.builds(lambda backwards: lambda both: both.gather(backwards), st.booleans()),
    st.builds(lambda busy, asleep: lambda both: both.occupy(busy, asleep), some, some),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(taken=st.lists(steps, max_size=14))
def test_what_is_given_without_waiting_happens_in_order(taken: list[Step], folder: Path) -> None:
    engines = Engines(folder, hosts=("a", "b", "b", "a"))
    with engines.working() as client:
        assert isinstance(client, Client)
        both = Both(engines, client[:])
        both.push(ROWS, 0.0, share=False)
        for step in taken:
            step(both)
        both.compare()
