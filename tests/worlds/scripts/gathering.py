"""Gathers whose parts land in the whole array, and all that may come between. Runs in a world of any size."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from checks import raises, run_checks

from mpikernel import Client
from mpikernel.client.gathering import LARGE
from mpikernel.errors import CompositeError, UsageError

client = Client()
everybody = client[:]
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own
ROWS = LARGE // 8 // 3 + 1  # of three float64 each: just large enough to be described


def make(engine_rows: str, name: str = "part") -> None:
    """Bind an expression of `i`, the engine's number, on every engine."""
    everybody.execute(f"import numpy as np\nfrom mpikernel import engine\ni = engine.id\n{name} = {engine_rows}", block=True)


def parts_of(expression: str) -> list[Any]:
    return [eval(expression, {"np": np, "i": number, "ROWS": ROWS}) for number in client.ids]


def gathered(expression: str, dist: str = "b") -> Any:
    """What is gathered of an expression, which must be what numpy makes of the parts."""
    make(expression.replace("ROWS", str(ROWS)))
    whole = everybody.gather("part", dist=dist, block=True)
    parts = parts_of(expression)
    if dist == "b":
        expected = np.concatenate(parts, dtype=parts[0].dtype if len({part.dtype for part in parts}) == 1 else None)
    else:
        expected = np.empty_like(np.concatenate(parts))
        for number, part in enumerate(parts):
            expected[number::COUNT] = part
    assert (whole.dtype, whole.shape) == (expected.dtype, expected.shape), (whole.dtype, whole.shape)
    assert np.array_equal(whole, expected)
    assert whole.flags.writeable
    return whole


def check_parts_land_in_the_whole() -> None:
    make(f"np.arange({ROWS} * 3.0).reshape(-1, 3) + i")
    result = everybody.gather("part", block=False)
    whole = result.get()
    assert whole.flags.c_contiguous
    assert all(np.shares_memory(part, whole) for part in result.get_dict().values())
    assert [part[0, 0] for part in result] == client.ids


def check_unequal_parts() -> None:
    gathered("np.full((ROWS * (i + 1), 3), i + 0.5)")
    gathered("np.full((ROWS if i == 0 else 1, 3), i + 0.5)")
    gathered("np.full((0 if i else ROWS, 3), 1.5)")
    gathered("np.full((ROWS if i else 0, 3), 1.5)")


def check_every_kind_of_number() -> None:
    for kind in ("i2", "M8[s]", "S8", "[('a', 'i4'), ('b', 'i2')]", ">i8", "?"):
        spelled = kind if kind.startswith("[") else repr(kind)
        gathered(f"np.frombuffer(bytes(range(i, 240 + i)) * (ROWS // 10), np.dtype({spelled})).copy()")


def check_round_robin() -> None:
    gathered("np.arange(ROWS * 3.0 + 300).reshape(-1, 3) * (i + 1)", dist="r")
    whole = np.arange(ROWS * 3.0 * COUNT + 3).reshape(-1, 3)
    everybody.scatter("dealt", whole, dist="r", block=True)
    assert np.array_equal(everybody.gather("dealt", dist="r", block=True), whole)


def check_fortrans_order_is_kept() -> None:
    whole = np.asfortranarray(np.arange(ROWS * 3.0 * COUNT).reshape(-1, 3))
    everybody.scatter("columns", whole, block=True)
    back = everybody.gather("columns", block=True)
    assert np.array_equal(back, whole)
    assert COUNT == 1 or back.flags.f_contiguous


def check_parts_that_lie_in_other_ways() -> None:
    gathered("np.asfortranarray(np.arange(ROWS * 3.0).reshape(-1, 3)) if i % 2 == 0 else np.arange(ROWS * 3.0).reshape(-1, 3)")
    gathered("np.arange(ROWS * 6.0).reshape(-1, 3)[::2] + i")
    gathered("np.arange(ROWS * 6.0).reshape(-1, 3)[::-1]")
    gathered("np.broadcast_to(np.arange(3.0) + i, (ROWS, 3))")


def check_parts_of_different_types_become_what_holds_both() -> None:
    gathered("np.full(ROWS * 3, i, dtype='i4' if i else 'i8')")
    gathered("np.full(ROWS * 3, i, dtype='f4' if i else 'i2')")


def check_what_is_no_plain_array_comes_as_before() -> None:
    make(f"np.ma.masked_equal(np.arange({ROWS} * 3.0), 4)")
    whole = everybody.gather("part", block=True)
    assert whole.mask.sum() == COUNT
    make(f"np.array([None, 'x'] * {ROWS}, dtype=object)")
    assert everybody.gather("part", block=True).tolist() == [None, "x"] * ROWS * COUNT
    make(f"[i] * {ROWS}")
    assert len(everybody.gather("part", block=True)) == ROWS * COUNT
    make("np.array(float(i))")
    assert everybody.gather("part", block=True) == list(map(float, client.ids))
    make(f"np.zeros({ROWS} * 3) if i else [1, 2]")
    whole = everybody.gather("part", block=True)
    assert len(whole) == 2 + ROWS * 3 * (COUNT - 1)


def check_an_array_that_is_changed_next_is_gathered_as_it_was() -> None:
    make(f"np.full({ROWS} * 3, float(i))")
    before = everybody.gather("part", block=False)
    everybody.execute("part += 100", block=False)
    after = everybody.gather("part", block=False)
    everybody.execute("part += 100", block=False)
    parts = np.repeat(np.arange(float(COUNT)), ROWS * 3)
    assert np.array_equal(before.get(), parts)
    assert np.array_equal(after.get(), parts + 100)


def check_many_at_once() -> None:
    for number in range(5):
        make(f"np.full({ROWS} * 3, {number} + i / 10)", f"part{number}")
    results = [everybody.gather(f"part{number}", block=False) for number in range(5)]
    assert client.wait(results, 30)
    for number, result in enumerate(results):
        assert result.successful()
        assert np.array_equal(result.get(), np.repeat([number + i / 10 for i in client.ids], ROWS * 3))


def check_one_engine() -> None:
    make(f"np.full({ROWS} * 3, float(i))")
    assert np.array_equal(client[-1:].gather("part", block=True), np.full(ROWS * 3, COUNT - 1.0))
    assert np.array_equal(client[0].gather("part", block=True), np.zeros(ROWS * 3))
    backwards = client[client.ids[::-1]].gather("part", block=True)
    assert backwards[0] == COUNT - 1


def check_a_name_that_one_engine_lacks() -> None:
    make(f"np.full({ROWS} * 3, float(i))", "lacking")
    client[-1].execute("del lacking", block=True)
    result = everybody.gather("lacking", block=False)
    with raises(CompositeError, "lacking", f"failed in 1 of {COUNT}"):
        result.get()
    assert client.wait(timeout=10)
    if COUNT > 1:
        assert next(iter(result)).shape == (ROWS * 3,)


def check_parts_that_do_not_fit_together() -> None:
    if COUNT == 1:
        return
    make(f"np.zeros(({ROWS}, 3 + i))")
    with raises(UsageError, "do not fit together", f"engine 0: ({ROWS}, 3) float64, engine 1: ({ROWS}, 4) float64"):
        everybody.gather("part", block=True)
    make(f"np.zeros({ROWS} * 3, 'f8' if i else [('a', 'f8')])")
    with raises(UsageError, "do not fit together", "engine 0"):
        everybody.gather("part", block=True)
    make(f"np.zeros({ROWS} * 3 + 5 * i)")
    with raises(UsageError, "do not fit together", "engine 1", "round-robin"):
        everybody.gather("part", dist="r", block=True)
    assert client.wait(timeout=10)


def check_a_gather_can_be_cancelled_before_it_begins() -> None:
    if not APART:
        return  # where script and engine are one process, a call has begun when it is made
    make(f"np.full({ROWS} * 3, float(i))")
    everybody.execute("import time; time.sleep(0.3)", block=False)
    result = everybody.gather("part", block=False)
    assert result.cancel()
    assert result.cancelled()
    assert everybody.gather("part", block=True).shape == (ROWS * 3 * COUNT,)


def check_a_busy_engine_holds_up_nobody_else() -> None:
    make(f"np.full({ROWS} * 3, float(i))")
    busy = client[-1].execute("import time; time.sleep(0.5)", block=False)
    result = everybody.gather("part", block=False)
    if COUNT > 1:
        assert client[0].apply_sync(abs, -1) == 1
        assert not busy.done()
    assert np.array_equal(result.get(), np.repeat(np.arange(float(COUNT)), ROWS * 3))


def check_the_array_is_the_users_own() -> None:
    make(f"np.full({ROWS} * 3, float(i))")
    first = everybody.gather("part", block=True)
    copy = first.copy()
    everybody.gather("part", block=True)[:] = 5
    assert np.array_equal(first, copy)


def check_more_than_there_is_memory_for() -> None:
    make("np.broadcast_to(np.zeros(1), 1 << 46)")
    with raises(Exception, "memory"):
        everybody.gather("part", block=True)
    make(f"np.full({ROWS} * 3, float(i))")
    assert everybody.gather("part", block=True).shape == (ROWS * 3 * COUNT,)


run_checks(globals())
