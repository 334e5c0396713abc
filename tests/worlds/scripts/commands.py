"""One of everything that the ledger keeps, in an order that the test knows."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from checks import wait_until

from mpikernel import Client

client = Client()
one = client[0]
balanced = client.load_balanced_view()


def succeed(x: int) -> int:
    return x


def nap() -> None:
    import time

    time.sleep(0.3)


def fail(x: int) -> None:
    raise ValueError(f"no {x}\nand no")


def attempt(call: Any, *args: Any) -> None:
    with suppress(Exception):
        call(*args)


one.push({"a": 1, "b": 2}, block=True)
one.pull("a", block=True)
one.execute("c = 3\nd = 4", block=True)
client[:].apply_sync(succeed, 1)
attempt(one.apply_sync, fail, 1)
one.scatter("part", [1, 2], block=True)
one.gather("part", block=True)
balanced.map_sync(succeed, range(3))
balanced.retries = 1
attempt(balanced.apply_sync, fail, 2)
busy = one.apply_async(nap)
began = time.monotonic()
wait_until(lambda: time.monotonic() - began > 0.1)
one.apply_async(succeed, 9).cancel()
busy.get()
