"""Maps with chunks of mpikernel's own choice. Runs in a world of any size."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

from checks import raises, run_checks

from mpikernel import Client
from mpikernel.errors import CompositeError, UsageError, remote_text

client = Client()
view = client.load_balanced_view()
COUNT = len(client)
MANY = 200_000


def double(x: int) -> int:
    return 2 * x


def refuse_some(x: int) -> int:
    if x % 1000 == 7:
        raise ValueError(f"{x} is refused")
    return x


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def check_many_items_go_in_few_tasks() -> None:
    result = view.map_async(double, range(MANY))
    assert len(result) == MANY
    assert result.get() == list(range(0, 2 * MANY, 2))
    assert result.progress == MANY
    assert len(result.msg_ids) < MANY / 100
    assert sum(view.imap(double, iter(range(MANY)))) == MANY * (MANY - 1)
    assert sorted(view.imap(double, range(MANY), ordered=False)) == list(range(0, 2 * MANY, 2))


def check_long_items_go_one_by_one() -> None:
    result = view.map_async(nap, [0.05] * 6 * COUNT)
    result.wait()
    assert len(result.msg_ids) == 6 * COUNT


def check_large_items_go_in_small_chunks() -> None:
    items = [bytes([number]) * 100_000 for number in range(40)]
    result = view.map_async(len, items)
    assert result.get() == [100_000] * 40
    assert len(result.msg_ids) >= 20  # 256 KiB hold two of them


def check_items_fail_alone() -> None:
    bad = list(range(7, 20_000, 1000))
    result = view.map_async(refuse_some, range(20_000))
    with raises(CompositeError, "refuse_some failed in 20 of 20000 calls (items 7, 1007, 2007, 3007, 4007, ...)") as caught:
        result.get()
    assert [str(error) for error in caught.error.exceptions] == [f"{x} is refused" for x in bad]
    assert "in refuse_some" in remote_text(caught.error.exceptions[-1])
    values = iter(result)
    assert list(itertools.islice(values, 7)) == list(range(7))
    with raises(ValueError, "7 is refused"):
        next(values)
    for got in (
        view.map_sync(refuse_some, range(20_000), return_exceptions=True),
        list(view.imap(refuse_some, range(20_000), return_exceptions=True)),
        view.map_sync(refuse_some, range(20_000), return_exceptions=True, chunksize=300),
    ):
        assert [x for x, value in enumerate(got) if isinstance(value, ValueError)] == bad
        assert [value for value in got if not isinstance(value, ValueError)] == [x for x in range(20_000) if x not in bad]


def check_a_buffer_bounds_what_is_read() -> None:
    read = 0

    def source() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    for chunksize in (None, 1, 7, 1000):
        read = 0
        values = view.imap(double, source(), buffersize=100, chunksize=chunksize)
        for taken in range(1, 500):
            assert next(values) == 2 * taken
            assert read <= taken - 1 + 100
    assert view.map_sync(double, iter(range(1000)), buffersize=3) == list(range(0, 2000, 2))


def check_a_bar_is_shown_where_the_call_waits() -> None:
    assert view.map_sync(double, iter(range(10)), progress=True) == list(range(0, 20, 2))
    with raises(UsageError, "wait_interactive"):
        view.map(double, [1], progress=True)


def check_bad_numbers_are_refused() -> None:
    for bad in (0, -1, 1.5, "2", True):
        with raises(UsageError, "buffersize"):
            view.map(double, [1], buffersize=bad)


run_checks(globals())
