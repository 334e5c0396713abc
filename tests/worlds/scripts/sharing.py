"""Pushes to shared memory: one copy for all engines of a host, read-only, gone with the last who has it. Runs in a world of any size."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from checks import raises, run_checks, wait_until

from mpikernel import Client, engine
from mpikernel.arrays import shared_memory
from mpikernel.errors import SerializeError

client = Client()
everybody = client[:]
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own
SIZE = 1 << 24  # bytes
data = np.arange(SIZE // 8, dtype=np.float64)


def areas() -> dict[int, tuple[int, int]]:
    """The unnamed files in /dev/shm that this process has mapped: inode -> (bytes, its share of what is in memory: PSS)."""
    found: dict[int, tuple[int, int]] = {}
    inode, size = 0, 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0]:
            start, end = (int(word, 16) for word in words[0].split("-"))
            inode, size = (int(words[4]), end - start) if "/dev/shm/#" in line else (0, 0)
        elif inode and words[0] == "Pss:":
            found[inode] = (size, found.get(inode, (0, 0))[1] + int(words[1]) * 1024)
    return found


def in_use() -> int:
    """Bytes that are shared in this world."""
    everywhere = [areas(), *everybody.apply_sync(areas)]
    return sum({inode: size for each in everywhere for inode, (size, _) in each.items()}.values())


def of_engines() -> int:
    """As `in_use`, without what only the script has."""
    return sum({inode: size for each in everybody.apply_sync(areas) for inode, (size, _) in each.items()}.values())


def forget() -> None:
    """Have engines let go of everything."""
    everybody.clear(block=True)
    everybody.execute("import gc; gc.collect()", block=True)


def check_values_arrive_whole_and_read_only() -> None:
    columns = np.asfortranarray(data.reshape(1024, -1))
    everybody.push({"a": data, "b": {"deep": [columns, "text", 5]}, "c": 1}, block=True, share=True)
    a, b, c = everybody.pull(["a", "b", "c"], block=True)[-1]
    assert np.array_equal(a, data)
    assert np.array_equal(b["deep"][0], columns)
    assert (b["deep"][1:], c) == (["text", 5], 1)
    assert (
        everybody.execute("a.flags.writeable, b['deep'][0].flags.writeable, b['deep'][0].flags.f_contiguous", block=True)
        == [(False, False, True)] * COUNT
    )
    with raises(Exception, "read-only"):
        everybody.execute("a[0] = 1", block=True)
    forget()


def check_there_is_one_copy() -> None:
    wait_until(lambda: in_use() == 0)
    everybody.push({"a": data}, block=True, share=True)
    everybody.execute("float(a.sum())", block=True)
    everywhere = everybody.apply_sync(areas)
    [inode] = set.intersection(*map(set, everywhere))
    shares = [each[inode][1] for each in (everywhere if not APART else [areas(), *everywhere]) if inode in each]
    assert 0.9 * SIZE < sum(shares) < 1.1 * SIZE, shares
    forget()


def check_it_is_gone_with_the_last_who_has_it() -> None:
    wait_until(lambda: in_use() == 0)
    everybody.push({"a": data}, block=True, share=True)
    everybody.execute("kept = a[:10]", block=True)
    client[0].execute("del a, kept", block=True)
    if COUNT > 1:
        assert of_engines() == SIZE
        assert client[-1].execute("del a; float(kept.sum())", block=True) == 45
    forget()
    wait_until(lambda: in_use() == 0)


def check_a_name_that_is_pushed_again_and_again_needs_two_areas() -> None:
    for number in range(10):
        everybody.push({"a": data + number}, block=True, share=True)
        assert everybody.execute("float(a[0])", block=True) == [number] * COUNT
        assert in_use() <= 2 * SIZE
    forget()
    wait_until(lambda: in_use() == 0)


def check_what_has_been_shared_stays_as_it_was() -> None:
    everybody.push({"a": data}, block=True, share=True)
    for number in range(3):
        everybody.push({"b": data + number + 1}, block=True, share=True)
    assert all(np.array_equal(a, data) for a in everybody["a"])
    assert all(np.array_equal(b, data + 3) for b in everybody["b"])
    forget()


def check_the_own_array_may_be_changed_at_once() -> None:
    own = data.copy()
    result = everybody.push({"a": own}, block=False, share=True)
    own[:] = 0
    result.get()
    assert all(np.array_equal(a, data) for a in everybody["a"])
    forget()


def check_what_is_small_is_not_shared() -> None:
    everybody.push({"a": np.arange(10), "b": "text"}, block=True, share=True)
    everybody.execute("a[0] = 1", block=True)
    forget()


def check_pushes_keep_their_order() -> None:
    results = [everybody.push({"a": data + number}, block=False, share=number % 2 == 0) for number in range(6)]
    results.append(everybody.execute("float(a[0])", block=False))
    assert results[-1].get() == [5.0] * COUNT
    client.wait(results)
    forget()


def check_one_engine() -> None:
    client[0].push({"a": data}, block=True, share=True)
    assert np.array_equal(client[0]["a"], data)
    client[[0, 0]].push({"a": data + 1}, block=True, share=True)
    assert np.array_equal(client[0]["a"], data + 1)
    forget()


def check_cancelled_pushes_hold_nothing() -> None:
    everybody.execute("import time; time.sleep(0.3)", block=False)
    result = everybody.push({"a": data}, block=False, share=True)
    result.abort()
    assert client.wait(timeout=20)
    forget()
    wait_until(lambda: in_use() == 0)


def check_no_room_is_an_error_and_changes_nothing() -> None:
    everybody.push({"a": 1}, block=True)
    room = shared_memory.FOLDER
    try:
        shared_memory.FOLDER = "/nowhere"
        with raises(SerializeError, "/nowhere", str(2 * SIZE)):
            everybody.push({"a": np.zeros(SIZE // 4)}, share=True)
    finally:
        shared_memory.FOLDER = room
    assert everybody["a"] == [1] * COUNT


def check_nothing_is_left_open() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = [descriptors(), *everybody.apply_sync(descriptors)]
    for _ in range(20):
        everybody.push({"a": data[: 1 << 15]}, block=True, share=True)
    forget()
    wait_until(lambda: (client.wait(timeout=0.01), [descriptors(), *everybody.apply_sync(descriptors)] <= before)[1])


def check_engines_know_themselves() -> None:
    everybody.push({"a": data}, block=True, share=True)
    assert everybody.apply_sync(lambda: engine.id) == client.ids
    forget()


run_checks(globals())
