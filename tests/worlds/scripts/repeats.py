"""Checks of large arguments that come again in tasks: what is moved is counted, piece by piece, on the script's rank and on engines."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
from checks import run_checks

from mpikernel import Client, Pool

client = Client()
view = client.load_balanced_view()
alone = client.port.state.engines[0] == client.port.state.rank  # all in one process: nothing moves
apart = client.port.state.task != client.port.state.rank  # the task interface is another rank's
caching = client.port.state.repeats.recognise([bytes(1 << 20)] * 2) != {}
MANY = 300


def array(seed: int, mib: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).random(mib << 17)


def item(values: np.ndarray, index: int) -> float:
    return float(values[index])


def spoil(values: np.ndarray) -> float:
    total = float(values.sum())
    values[:] = 0
    return total


def landed() -> int:
    """Pieces of large frames that have come to, or left, this engine."""
    import gc

    return next(each for each in gc.get_objects() if type(each).__name__ == "MpiTransport").progress


def resident() -> int:
    """MiB of this engine's process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 >> 20


class Counted:
    """Pieces that moved inside of a with-statement: from the script, and on each engine."""

    def __enter__(self) -> Counted:
        self._before = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._now()
        self.left = now[0] - self._before[0]
        self.here = [after - before for after, before in zip(now[1:], self._before[1:], strict=True)]

    def _now(self) -> list[int]:
        transport = client.port.loop.transport
        client.port.wait(lambda: not transport.moving, 10)
        return [transport.progress, *client[:].apply_sync(landed)]

    def check(self, contents: int) -> None:
        """That many contents, which had been seen before, were moved to each rank once; or else for every task."""
        if caching:
            assert self.left <= contents * (1 if apart else len(client)), self.left
            assert max(self.here) <= contents, self.here
        else:
            assert min(self.left, sum(self.here)) >= MANY, (self.left, self.here)


def seen(seed: int) -> np.ndarray:
    """An array that a task has had before."""
    values = array(seed)
    view.apply_sync(item, values, 0)
    return values


def check_single_tasks() -> None:
    values = seen(1)
    with Counted() as counted:
        results = [view.apply_async(item, values, number) for number in range(MANY)]
        assert [result.get() for result in results] == values[:MANY].tolist()
    if not alone:
        counted.check(1)


def check_what_does_not_come_again_is_moved_each_time() -> None:
    with Counted() as counted:
        results = [view.apply_async(item, array(seed), 5) for seed in range(100, 120)]
        assert [result.get() for result in results] == [array(seed)[5] for seed in range(100, 120)]
    if not alone:
        assert min(counted.left, sum(counted.here)) >= 20, (counted.left, counted.here)


def check_executors_and_pools() -> None:
    values, others = seen(2), seen(3)
    executor: Executor = client.executor()
    with Counted() as counted, executor, Pool() as pool:
        futures = [executor.submit(item, values, number) for number in range(MANY // 2)]
        results = [pool.apply_async(item, (others, number)) for number in range(MANY // 2)]
        assert [future.result() for future in futures] == values[: MANY // 2].tolist()
        assert [result.get() for result in results] == others[: MANY // 2].tolist()
    if not alone:
        counted.check(2)


def check_maps_over_rows_that_share_something_large() -> None:
    values = seen(4)
    with Counted() as counted:
        assert view.map_sync(item, [values] * MANY, range(MANY), chunksize=1) == values[:MANY].tolist()
    if not alone:
        counted.check(1)


def check_what_was_changed_in_between_is_what_later_tasks_get() -> None:
    values = np.zeros(1 << 18)
    for number in range(30):
        values[1000 + number // 3] += 1
        result = view.apply_async(np.sum, values)
        assert result.wait_for_send(20)
        assert result.get() == number + 1


def check_what_a_task_does_to_its_argument_no_other_sees() -> None:
    values = np.ones(1 << 18)
    results = [view.apply_async(spoil, values) for _ in range(40)]
    assert [result.get() for result in results] == [values.size] * 40
    assert values.all()


def check_several_at_any_depth() -> None:
    first, second = array(5, 1), array(6, 2).reshape(512, -1).T

    def total(rows: dict[str, Any], *, data: bytes) -> float:
        return float(rows["x"][0].sum() + rows["y"].sum()) + len(data)

    expected = float(first.sum() + second.sum()) + (1 << 20)
    results = [view.apply_async(total, {"x": [first], "y": second}, data=bytes(1 << 20)) for _ in range(40)]
    assert all(abs(result.get() - expected) < 1e-6 * expected for result in results)


def check_memory_of_engines_stays_flat() -> None:
    def use(count: int) -> list[int]:
        values = [array(seed) for seed in range(10, 13)]
        results = [view.apply_async(spoil, values[number % 3]) for number in range(count)]
        client.wait(results)
        return client[:].apply_sync(resident)

    before, after = use(60), use(240)
    for some, more in zip(before, after, strict=True):
        assert more <= some + 40, (before, after)


if __name__ == "__main__":
    run_checks(globals())
