"""Large arguments that come again go once to whoever needs them, and every task is called with what it was submitted with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.client.repeats import EDGE, SEEN, Repeats
from mpikernel.client.result import AsyncResult
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.arguments import keep_arguments, put_back, remember_arguments
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.messages import Apply, Message, Submit
from mpikernel.wire.payload import dump, size
from mpikernel.wire.terms import Terms

SCRIPT, TASK = 1, 2
LARGE = 1 << 16
CONTENTS = [bytes([number]) * (8 + 4 * number) for number in range(6)]
# those that look alike and are not: they differ where nobody looks
ALIKE = [bytes(1000) + bytes([number]) + bytes(1000 + EDGE) for number in range(3)]


class Line:
    """One client's arguments, and a receiver that gets them in order."""

    def __init__(self, limit: int = 1 << 20, least: int = 1) -> None:
        self.repeats = Repeats(7, limit, least)
        self.kept = keep_arguments(limit)
        self.sent: list[int] = []  # bytes that went with each call
        self.named = 0  # frames that had names

    def call(self, *frames: Frame) -> list[Frame]:
        """A call is made; what arrives."""
        known = self.repeats.recognise(frames)
        left, named = self.repeats.leave_out(frames, known)
        self.sent.append(size(left))
        self.named += len(named)
        return list(put_back(self.kept, named, left)[0])


@given(st.lists(st.lists(st.sampled_from([*CONTENTS, *ALIKE]), max_size=3)), st.integers(1, 3000))
def test_whatever_comes_again_arrives_as_it_was(calls: list[list[bytes]], limit: int) -> None:
    line = Line(limit)
    for frames in calls:
        assert line.call(*frames) == frames


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2999), st.integers(0, 255))))
def test_what_is_changed_between_two_calls_is_other_content(changes: list[tuple[int, int, int]]) -> None:
    line, arrays = Line(), [bytearray(3000) for _ in range(3)]
    for which, place, value in changes:
        arrays[which][place] = value
        assert line.call(*arrays) == arrays


def test_from_the_second_time_on_it_is_named_and_from_the_third_it_stays_here() -> None:
    line = Line()
    for _ in range(5):
        line.call(b"pickle", b"x" * 5000)
    assert line.sent == [5006, 5006, 0, 0, 0]


@pytest.mark.parametrize("size", [99, 1001])
def test_what_is_too_small_or_larger_than_what_is_kept_goes_each_time(size: int) -> None:
    line = Line(limit=1000, least=100)
    for _ in range(4):
        line.call(bytes(size))
    assert line.sent == [size] * 4
    assert not line.repeats.recognise([bytes(size)])


def test_nothing_is_kept_if_it_is_switched_off() -> None:
    line = Line(limit=0)
    for _ in range(4):
        line.call(bytes(5000))
    assert line.sent == [5000] * 4


def test_what_changes_each_time_where_nobody_looks_is_copied_less_and_less() -> None:
    line, array = Line(), bytearray(100_001)
    for number in range(1, 201):
        array[1000 + number] = number
        line.call(array)
    assert 2 <= line.named <= 20


def test_what_changes_now_and_then_is_named_again() -> None:
    line, array = Line(), bytearray(100_001)
    for number in range(1, 50):
        array[1000 + number] = number
        for _ in range(10):
            line.call(array)
    assert sum(line.sent) <= 50 * 3 * len(array)


def test_copies_live_as_long_as_the_receiver_has_them() -> None:
    line = Line(limit=10_000)
    for number in range(20):
        for _ in range(3):
            line.call(bytes([number]) * 4000)
    assert len(line.repeats._contents) == 2


def test_what_came_once_is_not_remembered_for_ever() -> None:
    line = Line(least=1)
    for number in range(SEEN + 10):
        line.call(b"%d" % number)
    assert len(line.repeats._seen) == SEEN


# in a world ---------------------------------------------------------------------------------------------------------------


def submit(world: LoopbackWorld, function: Callable[..., Any], *args: Any, terms: Terms | None = None) -> AsyncResult:
    """As a view does it."""
    result, port = AsyncResult(world.port, "f", True), world.port
    port.submit_single(result, "f", port.functions.get(function, "f"), dump((args, {})), terms or Terms(), False)
    return result.launched()


@pytest.fixture
def bytes_sent(monkeypatch: pytest.MonkeyPatch, world: LoopbackWorld) -> dict[int, int]:
    """Bytes of large frames that were sent with tasks, by the rank that they went to."""
    counted = dict.fromkeys(range(world.layout.size), 0)

    def count(loop: Any) -> None:
        send = loop.out.send

        def counting(rank: int, message: Message, frames: Any = (), *rest: Any) -> None:
            if isinstance(message, Submit | Apply):
                counted[rank] += sum(len(frame) for frame in frames if len(frame) >= LARGE)
            send(rank, message, frames, *rest)

        monkeypatch.setattr(loop.out, "send", counting)

    count(world.loops[SCRIPT])
    count(world.loops[TASK])
    return counted


@contextmanager
def full(world: LoopbackWorld, rank: int) -> Iterator[None]:
    """Inside, a rank has no memory for large frames."""
    transport = world.loops[rank].transport
    rooms, transport.rooms = transport.rooms, no_room
    yield
    transport.rooms = rooms


def no_room(_sender: int, _message: Message, sizes: Sequence[int]) -> list[Frame]:
    gap = Missing(b"no memory here")
    (gap.size,) = sizes
    return [gap]


def item(array: Any, index: int) -> float:
    return float(array[index])


def total_and_spoil(array: Any) -> float:
    total = float(array.sum())
    array[:] = -1
    return total


def fail_after_spoiling(array: Any) -> None:
    raise ValueError(total_and_spoil(array))


def test_the_same_array_goes_to_each_rank_once(world: LoopbackWorld, bytes_sent: dict[int, int]) -> None:
    array = np.arange(100_000.0)
    results = [submit(world, item, array, number) for number in range(60)]
    world.run()
    assert [result.get() for result in results] == list(range(60))
    # the first time it has no name yet; from there on it goes once
    assert bytes_sent[TASK] == 2 * array.nbytes
    engines = [bytes_sent[rank] for rank in world.layout.engines]
    assert sum(engines) == 3 * array.nbytes
    assert max(engines) <= 2 * array.nbytes


def test_tasks_that_wait_share_one_copy_and_fill_no_window(world: LoopbackWorld) -> None:
    array = np.arange(100_000.0)
    for number in range(300):
        submit(world, item, array, number)
    world.settle()
    world.turn(TASK)
    frames = {id(frame) for task in world.task.waiting.in_order for frame in task.arguments if len(frame) >= LARGE}
    assert len(frames) == 1
    assert world.client.traffic.under_way[-1] == 2 * array.nbytes


def test_what_was_changed_in_between_is_what_later_tasks_get(world: LoopbackWorld) -> None:
    array, results = np.zeros(100_000), []
    for number in range(40):
        array[12_345 + number // 4] += 1  # where nobody looks at first
        results.append((submit(world, np.sum, array), array.sum()))
        world.settle()  # what was submitted has left
    world.run()
    assert [result.get() for result, _ in results] == [expected for _, expected in results]


def test_what_a_task_does_to_its_argument_no_other_sees(world: LoopbackWorld) -> None:
    array = np.ones(100_000)
    results = [submit(world, total_and_spoil, array) for _ in range(20)]
    world.run()
    assert [result.get() for result in results] == [100_000.0] * 20


def test_a_task_that_is_tried_again_is_called_with_the_same(world: LoopbackWorld) -> None:
    array = np.ones(100_000)
    results = [submit(world, fail_after_spoiling, array, terms=Terms(retries=2)) for _ in range(5)]
    world.run()
    assert [str(result.exception()) for result in results] == ["100000.0"] * 5


def test_tasks_that_were_given_back_are_called_with_the_same_elsewhere(world: LoopbackWorld) -> None:
    array = np.arange(100_000.0)
    submit(world, item, array, 0)
    results = [submit(world, item, array, number) for number in range(12)]
    world.settle()
    held = world.begin(1)  # one engine is busy for long; the other is done, and gets what it had
    while world.begin(0):
        world.finish(0)
        world.pass_time(0.01)
    assert held is not None
    assert sum(result.done() for result in results) >= 10
    world.finish(1)
    world.run()
    assert [result.get() for result in results] == list(range(12))


def test_more_than_is_kept_comes_again_and_again(world: LoopbackWorld, bytes_sent: dict[int, int]) -> None:
    limit = 3 << 20
    world.client.repeats = Repeats(SCRIPT, limit, LARGE)
    world.task.argument_cache = limit
    for seat, engine in zip(world.task.seats, world.engines, strict=True):
        seat.arguments, engine.arguments = remember_arguments(limit), keep_arguments(limit)
    arrays = [np.full(1 << 17, float(number)) for number in range(5)]  # 1 MiB each
    results = [(submit(world, item, arrays[number % 5], number), number % 5) for number in range(50)]
    results += [(submit(world, item, arrays[4], number), 4) for number in range(50)]
    world.run()
    assert [result.get() for result, _ in results] == [value for _, value in results]
    assert bytes_sent[TASK] <= 52 << 20


def test_an_argument_that_found_no_memory_is_sent_again(world: LoopbackWorld, bytes_sent: dict[int, int]) -> None:
    array = np.ones(100_000)
    submit(world, np.sum, array)
    world.run()
    with full(world, TASK):
        second = submit(world, np.sum, array)
        world.run()
    assert "no memory here" in str(second.exception())
    third, fourth = submit(world, np.sum, array), submit(world, np.sum, array)
    world.run()
    assert (third.get(), fourth.get()) == (100_000.0, 100_000.0)
    assert bytes_sent[TASK] == 3 * array.nbytes


def test_engines_that_found_no_memory_are_sent_it_again(world: LoopbackWorld) -> None:
    array, first = np.ones(100_000), Terms(targets=(0,))
    submit(world, np.sum, array, terms=first)
    world.run()
    with full(world, world.layout.engines[0]):
        second = submit(world, np.sum, array, terms=first)
        world.run()
    assert "no memory here" in str(second.exception())
    third = submit(world, np.sum, array, terms=first)
    world.run()
    assert third.get() == 100_000.0
