"""What `wait`, `abort` and `get_result` of clients and views take: results, ids and limits of time, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest

from mpikernel.client.client import Client
from mpikernel.errors import TaskAborted, UsageError
from mpikernel.testing.loopback import LoopbackWorld


@pytest.fixture
def client(world: LoopbackWorld) -> Client:
    return Client()


def test_ids_are_waited_for(client: Client, world: LoopbackWorld) -> None:
    view = client.load_balanced_view()
    results = [view.apply_async(abs, -1), client[:].apply_async(abs, -2), view.map_async(abs, range(20), chunksize=1)]
    ids = [number for result in results for number in result.msg_ids]
    several: list[Any] = [ids[0], ids, {ids[-1]}, numpy.array(ids), [results[0], *results[2].msg_ids]]
    for jobs in several:
        assert not client.wait(jobs, timeout=0)
    with world.working():
        assert client.wait(ids, timeout=10)
    assert [client.wait(jobs, 0) for jobs in several] == [True] * 5


def test_an_id_is_one_call_that_is_aborted(client: Client, world: LoopbackWorld) -> None:
    view = client.load_balanced_view()
    mapped, single, other = view.map_async(abs, range(9), chunksize=1), view.apply_async(abs, -1), view.apply_async(abs, -2)
    with world.working():
        client.abort([mapped.msg_ids[7], single.msg_ids[0], single.msg_ids[0]])
        assert client.wait(timeout=10)
    assert [call.aborted for call in mapped.calls] == [number == 7 for number in range(9)]
    with pytest.raises(TaskAborted):
        single.get()
    assert other.get() == 2


def test_ids_of_what_has_ended_are_aborted_in_vain(client: Client, working: LoopbackWorld) -> None:
    result = client.load_balanced_view().map_async(abs, [-1, -2])
    assert result.get() == [1, 2]
    client.abort(result.msg_ids)
    assert result.get() == [1, 2]


@pytest.mark.parametrize(
    ("jobs", "text"),
    [
        ("x", "'x' is no call: give AsyncResults, or ids"),
        (b"x", "is no call"),
        ([0, "1"], "'1' is no call"),
        ([None], "None is no call"),
        (1.5, "1.5 is no call"),
        (True, "True is no call"),
        (iter([0]), "is no call"),
        ({0: 1}, "is no call"),
        ([0, 99], "there is no call 99 in this run"),
        (-1, "there is no call -1 in this run"),
    ],
)
def test_what_names_no_call(client: Client, world: LoopbackWorld, jobs: Any, text: str) -> None:
    view = client.load_balanced_view()
    result = view.apply_async(abs, -1)
    uses: list[Callable[[Any], Any]] = [client.wait, client.abort, view.wait, view.abort]
    for use in uses:
        with pytest.raises(UsageError, match=text):
            use(jobs)
    world.run()
    assert result.get() == 1


def test_the_result_of_several_ids(client: Client, working: LoopbackWorld) -> None:
    view = client.load_balanced_view()
    mapped, single, direct = view.map_async(abs, range(5), chunksize=1), view.apply_async(abs, -1), client[:].apply_async(abs, -2)
    for result in (mapped, single, direct):
        assert client.get_result(result.msg_ids) is result
    assert client.get_result(mapped.msg_ids[2:4]) is mapped
    with pytest.raises(UsageError, match=r"not of the same AsyncResult as call \d+; ask for that of one call at a time"):
        client.get_result([*mapped.msg_ids, *single.msg_ids])
    with pytest.raises(UsageError, match="names no call"):
        client.get_result([])


@pytest.mark.parametrize("timeout", ["x", float("nan"), [1], numpy.nan])
def test_what_is_no_limit_of_time(client: Client, timeout: Any) -> None:
    result = client[0].apply_async(abs, -1)
    uses: list[Any] = [result.get, result.result, result.exception, result.wait, result.get_dict]
    for use in [*uses, lambda limit: client.wait(timeout=limit), lambda limit: client.wait([result], limit)]:
        with pytest.raises(UsageError, match=r"timeout=.* is no limit of time: it is a number of seconds, or None"):
            use(timeout)


@pytest.mark.parametrize("timeout", [None, -1, float("inf"), 10, numpy.float64(10)])
def test_limits_of_time(client: Client, working: LoopbackWorld, timeout: Any) -> None:
    assert client[0].apply_async(abs, -1).get(timeout) == 1
