"""The same array inside of other objects, as an argument and as a result of a call, beside the plain push and pull of it.

Memory is used again by all contestants: the same name is pushed each time, and results and arguments are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache

from mpikernel.bench.arrays.contestants import data_of, readable, under_a_name
from mpikernel.bench.calls import nothing
from mpikernel.bench.measuring import Call, Contestant, Effort, contest, on_bare_stage
from mpikernel.bench.raw_bytes import Bytes
from mpikernel.bench.sheet import GIGABYTES_PER_SECOND, AtLeast, Bar, Series, Sheet
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView

PLAIN = "plain"
NESTED = "in a dict in a list"
ARGUMENT = "argument of apply"
RESULT = "result of apply"
SHARE = 0.9  # of the speed of the plain push or pull


def measure(client: Client, effort: Effort) -> Sheet:
    """Both directions, with the largest array."""
    view, size = client[0], effort.largest
    pushes, pulls = f"push {readable(size)}", f"pull {readable(size)}"
    series = contest(pushes, _pushes(view, size), effort, size) + _pulled(view, pulls, effort, size)
    bars: list[Bar] = [
        AtLeast(case, contestant, SHARE, PLAIN)
        for case, contestants in ((pushes, (NESTED, ARGUMENT)), (pulls, (NESTED, RESULT)))
        for contestant in contestants
    ]
    return Sheet("the same array inside of other objects", GIGABYTES_PER_SECOND, (PLAIN,), series, [], bars)


def _pushes(view: DirectView, size: int) -> tuple[Contestant, ...]:
    data = data_of(size)

    def pushing(value: object) -> Callable[[], AbstractContextManager[Call]]:
        return lambda: under_a_name(view, lambda name: view.push({name: value}, block=True))

    return (
        Contestant(PLAIN, pushing(data)),
        Contestant(NESTED, pushing([{"data": data}])),
        on_bare_stage(ARGUMENT, lambda: view.apply_sync(nothing, data)),
    )


def _pulled(view: DirectView, case: str, effort: Effort, size: int) -> list[Series]:
    view.push({"plain": data_of(size), "nested": [{"data": data_of(size)}]}, block=True)
    contestants = (
        on_bare_stage(PLAIN, lambda: view.pull("plain", block=True)),
        on_bare_stage(NESTED, lambda: view.pull("nested", block=True)),
        on_bare_stage(RESULT, lambda: view.apply_sync(_made, size)),
    )
    series = contest(case, contestants, effort, size)
    view.apply_sync(_forget)
    view.clear(block=True)
    return series


@cache
def _made(size: int) -> Bytes:
    """Runs on an engine. The same array each time, so that making it is not timed."""
    return data_of(size)


def _forget() -> None:
    _made.cache_clear()
