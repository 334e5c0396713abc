"""Checks of much data under way: who sends too fast waits, and nobody else; what was sent may change. Needs a window of 1 MiB or more."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import time

import numpy as np
from checks import raises, run_checks

from mpikernel import Client, Reference
from mpikernel.client.traffic import POLLING
from mpikernel.errors import SerializeError

MIB = 1 << 20
client = Client()
window = client.port.state.traffic.window
view = client[:]
first = client[0]
alone = client.port.state.engines[0] == client.port.state.rank  # script and engine in one process: nothing is under way there


def data(eighths: float, seed: int = 0) -> np.ndarray:
    """So many eighths of a window."""
    return some(int(eighths * window / 8), seed)


def some(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def under_way() -> int:
    return client.port.state.traffic.under_way[0]


def check_who_pushes_too_fast_waits_for_a_busy_engine() -> None:
    if alone:
        return
    busy = first.apply_async(time.sleep, 0.6)
    begun = time.monotonic()
    pushed = [first.push({"x": data(3, seed)}, block=False) for seed in range(5)]  # almost two windows
    assert time.monotonic() - begun > 0.3, "nobody waited although more was pushed than may be under way"
    assert under_way() <= window
    busy.get()
    for each in pushed:
        each.get()
    assert under_way() == 0
    assert np.array_equal(first["x"], data(3, 4))


def check_one_that_is_larger_than_the_window_goes_all_the_same() -> None:
    large = data(20)
    first.push({"x": large}, block=True)
    assert np.array_equal(first["x"], large)


def check_others_do_not_wait_with_it() -> None:
    if alone or len(client) < 2:
        return
    busy = first.apply_async(time.sleep, 1.0)
    thread = threading.Thread(target=lambda: [first.push({"x": data(6)}, block=False) for _ in range(3)])
    thread.start()
    for number in range(20):
        client[1].push({"y": number, "z": data(2)}, block=True)
    assert not busy.done(), "transfers to another engine waited for a busy one"
    assert client[1]["y"] == 19
    thread.join()
    busy.get()


def check_results_that_nobody_takes_fill_a_window_and_no_more() -> None:
    if alone:
        return
    time.sleep(2 * POLLING)  # since somebody last looked for a result
    results = [first.apply_async(data, 3, seed) for seed in range(12)]
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:  # in user code: nobody waits for them
        time.sleep(0.05)
    assert sum(result.calls[0].done is not None for result in results) <= 4, "results came although nobody took them"
    for seed, result in enumerate(results):
        assert np.array_equal(result.get(), data(3, seed))
    assert client.port.state.traffic.untaken == 0


def check_who_waits_by_the_means_of_futures_is_not_forgotten() -> None:
    results = [first.apply_async(data, 3, seed) for seed in range(8)]
    done, left = concurrent.futures.wait(results, timeout=20)
    assert not left
    assert len(done) == 8


def check_who_polls_gets_what_he_waits_for() -> None:
    results = [first.apply_async(data, 3, seed) for seed in range(8)]
    begun = time.monotonic()
    while not all(result.ready() for result in results):
        assert time.monotonic() - begun < 20, "results that were asked for did not come in"
        time.sleep(0.01)


def check_a_map_of_more_than_the_window_waits_for_room() -> None:
    arguments = [data(3, seed) for seed in range(20)]
    balanced = client.load_balanced_view()
    result = balanced.map_async(np.copy, arguments)
    assert alone or client.port.state.traffic.under_way[-1] <= window
    for seed, value in enumerate(result.get()):
        assert np.array_equal(value, arguments[seed])
    assert client.port.state.traffic.under_way[-1] == 0


def check_pushes_in_callbacks_do_not_nest() -> None:
    depths: list[int] = []
    failed: list[Exception] = []
    under = [0]

    def push(_result: object) -> None:
        under[0] += 1
        depths.append(under[0])
        try:
            first.push({"c": data(5)}, block=False)
        except Exception as error:
            failed.append(error)
        under[0] -= 1

    results = [first.apply_async(abs, -number) for number in range(40)]
    for result in results:
        result.add_done_callback(push)
    client.wait()
    assert not failed
    assert len(depths) == 40
    assert alone or max(depths) <= 3, f"callbacks ran {max(depths)} deep in each other"


def check_dropped_results_make_room() -> None:
    results = [first.apply_async(data, 3, seed) for seed in range(4)]
    client.wait(results)
    del results
    assert client.port.state.traffic.untaken == 0


def check_memory_may_change_once_it_was_sent() -> None:
    if alone:
        return
    busy = first.apply_async(time.sleep, 0.2)
    array = data(4)
    kept = array.copy()
    pushed = first.push({"x": array}, block=False)
    assert pushed.wait_for_send(30)
    assert pushed.sent
    assert not busy.done(), "what was sent had to wait for the engine's call"
    array[:] = 0
    pushed.get()
    assert np.array_equal(first["x"], kept)
    small = first.push({"y": np.arange(100)}, block=False)
    assert small.wait_for_send(10)


def check_a_blocking_push_leaves_the_array_to_its_owner() -> None:
    array = data(2)
    kept = array.copy()
    view.push({"x": array}, block=True)
    array[:] = 0
    assert all(np.array_equal(each, kept) for each in view["x"])


def check_all_engines_get_the_same() -> None:
    array = data(9.5, 3)
    view.push({"x": array, "y": [array[5:], {"deep": array[::2]}]}, block=True)
    for x, y in zip(view["x"], view["y"], strict=True):
        assert np.array_equal(x, array)
        assert np.array_equal(y[0], array[5:])
        assert np.array_equal(y[1]["deep"], array[::2])
    assert view.apply_sync(np.sum, array) == [array.sum()] * len(view)
    for some in (client[::2], client[1:], client[[0, -1]]) if len(client) > 1 else ():
        other = data(5, 7)
        some.push({"x": other}, block=True)
        assert all(np.array_equal(x, other) for x in some["x"])


def check_many_at_once_in_all_directions() -> None:
    sent = [[engine.push({f"a{number}": data(1.5, number)}, block=False) for engine in client] for number in range(6)]
    for row in sent:
        for each in row:
            each.get()
    results = [engine.pull(f"a{number}", block=False) for number in range(6) for engine in client]
    more = view.push({"b": data(6)}, block=False)
    back = view.apply_async(np.negative, Reference("a0"))
    for index, result in enumerate(results):
        assert np.array_equal(result.get(), data(1.5, index // len(client)))
    more.get()
    assert all(np.array_equal(each, np.negative(data(1.5))) for each in back.get())


def limit_memory(mib: int | None) -> None:
    """Let this process have so much more memory and no more."""
    import resource

    with open("/proc/self/statm") as file:
        own = int(file.read().split()[0]) * resource.getpagesize()
    most = resource.RLIM_INFINITY if mib is None else own + mib * MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def check_what_an_engine_has_no_memory_for_is_an_error_there() -> None:
    if alone:
        return
    first.apply_sync(limit_memory, 50)
    with raises(SerializeError, "no memory for a buffer of 104857600 bytes"):
        first.push({"x": some(100 * MIB)}, block=True)
    assert first.apply_sync(os.getpid) > 0
    first.apply_sync(limit_memory, None)
    first.push({"x": some(100 * MIB)}, block=True)
    if len(client) > 1:  # the others get theirs
        first.apply_sync(limit_memory, 50)
        result = view.push({"y": some(110 * MIB, 1)}, block=False)
        with raises(ExceptionGroup, "1 of"):
            result.get()
        first.apply_sync(limit_memory, None)
        assert all(client[1:].apply_sync(np.array_equal, Reference("y"), some(110 * MIB, 1)))


def check_a_function_that_found_no_memory_is_sent_again() -> None:
    if alone:
        return
    heavy = some(60 * MIB)

    def total() -> int:
        return int(heavy.sum())

    first.apply_sync(limit_memory, 30)
    with raises(SerializeError, "no memory"):
        first.apply_sync(total)
    first.apply_sync(limit_memory, None)
    assert first.apply_sync(total) == heavy.sum()


def check_what_the_script_has_no_memory_for_is_an_error_here() -> None:
    if alone:
        return
    first.apply_sync(lambda: globals().update(x=bytearray(100 * MIB), small=1))
    result = None
    limit_memory(50)
    try:
        with raises(SerializeError, "no memory"):
            result = first.pull("x", block=True)
    finally:
        limit_memory(None)
    assert result is None
    assert first["small"] == 1
    assert len(first["x"]) == 100 * MIB


def check_more_than_the_host_has_is_an_error() -> None:
    if alone:
        return
    first.execute("import numpy; huge = numpy.broadcast_to(numpy.uint8(0), 1 << 45)", block=True)
    with raises(SerializeError):
        first.pull("huge", block=True)
    assert first.apply_sync(abs, -1) == 1


if __name__ == "__main__":
    run_checks(globals())
