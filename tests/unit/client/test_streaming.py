"""`imap`: how far it reads ahead of what is taken, and that it keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import pytest

from mpikernel.client.client import Client
from mpikernel.client.here import close_port, open_port
from mpikernel.client.streaming import ENOUGH, Window
from mpikernel.errors import TaskAborted
from mpikernel.testing.loopback import LoopbackWorld


class Counted:
    """0, 1, 2, ... without end; `read` tells how far."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[int]:
        for number in count():
            self.read += 1
            yield number


def test_a_window_of_short_tasks_doubles_up_to_its_most() -> None:
    window = Window(4, 10, engines=2)
    sizes = []
    for _ in range(4):
        window.take(window.size, 1e-3)
        sizes.append(window.size)
    assert sizes == [8, 10, 10, 10]


def test_a_window_that_keeps_engines_busy_stays() -> None:
    window = Window(4, 10, engines=2)
    window.take(4, 2 * ENOUGH)
    assert window.size == 4
    window.take(3, 0.0)  # it is not used up
    assert window.size == 4


@pytest.mark.parametrize(("size", "ahead", "room"), [(1, 0, 1), (1, 1, 0), (3, 2, 1), (16, 13, 0), (16, 12, 4), (500, 0, 500)])
def test_a_window_is_filled_in_portions(size: int, ahead: int, room: int) -> None:
    assert Window(size, size, engines=4).room(ahead) == room


def test_nothing_is_read_before_a_value_is_asked_for(working: LoopbackWorld) -> None:
    source = Counted()
    values = Client().load_balanced_view().imap(abs, source)
    assert source.read == 0
    assert next(values) == 0
    assert source.read > 1


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("chunksize", [None, 1, 3, 40])
@pytest.mark.parametrize("buffersize", [1, 2, 12])
def test_a_buffer_bounds_what_is_ahead_of_what_was_taken(
    working: LoopbackWorld, ordered: bool, chunksize: int | None, buffersize: int
) -> None:
    source = Counted()
    values = Client().load_balanced_view().imap(abs, source, ordered=ordered, chunksize=chunksize, buffersize=buffersize)
    got = []
    for taken in range(60):
        got.append(next(values))
        assert source.read <= taken + buffersize
    assert got == list(range(60)) if ordered else len(set(got)) == 60


@pytest.mark.parametrize("options", [{}, {"max_outstanding": 32}, {"chunksize": 5, "max_outstanding": 32}])
def test_what_was_taken_is_let_go_of(working: LoopbackWorld, options: dict[str, Any]) -> None:
    values = Client().load_balanced_view().imap(abs, Counted(), **options)
    assert list(islice(values, 2000)) == list(range(2000))
    (result,) = {collector for first in working.client.tally.held if (collector := working.client.tally.submitted_with(first)) is not None}
    assert len(result.pieces) <= 64  # type: ignore[attr-defined]  # it is the map's result
    values.close()  # type: ignore[attr-defined]  # it is a generator
    working.run()
    assert working.client.idle


def test_who_waits_for_all_does_not_wait_for_what_only_goes_on_when_it_is_asked(working: LoopbackWorld) -> None:
    client = Client()
    unstarted, begun = (client.load_balanced_view().imap(abs, count()) for _ in range(2))
    assert next(begun) == 0
    assert client.wait(timeout=10)
    del unstarted


def test_a_map_that_was_aborted_does_not_end_as_if_it_were_whole() -> None:
    world = LoopbackWorld(engines=2)
    open_port(world.port)
    client = Client()
    result = client.load_balanced_view().map_async(abs, range(6), chunksize=1)
    with world.working():
        client.abort([result, result])
        with pytest.raises(TaskAborted):
            list(result)
        assert client.wait(timeout=10)
    close_port()


@pytest.mark.parametrize("chunksize", [None, 1, 30])
def test_with_a_limit_of_time_each_item_is_a_task(working: LoopbackWorld, chunksize: int | None) -> None:
    view = Client().load_balanced_view()
    with view.temp_flags(timeout=5.0):
        result = view.map_async(abs, range(100), chunksize=chunksize)
        assert list(view.imap(abs, range(100), chunksize=chunksize)) == result.get()
    assert len(result.msg_ids) == len(result) == 100


@pytest.mark.parametrize("chunksize", [None, 1, 3])
def test_a_source_that_breaks_is_told_after_what_it_gave(working: LoopbackWorld, chunksize: int | None) -> None:
    def breaking() -> Iterator[int]:
        yield from range(5)
        raise LookupError("the source broke")

    values = Client().load_balanced_view().imap(abs, breaking(), chunksize=chunksize)
    assert [next(values) for _ in range(5)] == list(range(5))
    with pytest.raises(LookupError, match="the source broke"):
        next(values)
