"""How a coroutine waits for a result, with results that are done when a test says so, in whichever thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mpikernel.client.awaiting import arrival
from mpikernel.errors import ClosedError


class Slow:
    """A result that is not done until it is told so."""

    def __init__(self, ready_after: float = float("inf"), closed: bool = False) -> None:
        self.callbacks: list[Callable[[Any], object]] = []
        self.looks = 0
        self.aborted = threading.Event()
        self._ready_after = ready_after  # looks
        self._closed = closed

    def done(self) -> bool:
        return self.looks >= self._ready_after

    def ready(self) -> bool:
        self.looks += 1
        return self.done()

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        self.callbacks.append(fn)

    def abort(self) -> None:
        self.aborted.set()
        if self._closed:
            raise ClosedError("the world is ending")

    def finish(self) -> None:
        for callback in self.callbacks:
            callback(self)


def test_what_is_done_soon_is_seen_without_anybodys_help() -> None:
    result = Slow(ready_after=3)
    asyncio.run(arrival(result))
    assert (result.looks, result.callbacks) == (3, [])


def test_what_takes_longer_is_told_from_another_thread() -> None:
    async def main() -> None:
        result = Slow()
        waiting = asyncio.ensure_future(arrival(result))
        while not result.callbacks:
            await asyncio.sleep(0)
        assert not waiting.done()
        thread = threading.Thread(target=result.finish)
        thread.start()
        await asyncio.wait_for(waiting, 20)
        thread.join()
        assert not result.aborted.is_set()

    asyncio.run(main())


@pytest.mark.parametrize("closed", [False, True])
def test_who_is_cancelled_aborts_what_it_waited_for(closed: bool) -> None:
    async def main() -> Slow:
        result = Slow(closed=closed)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(arrival(result), 0.01)
        return result

    result = asyncio.run(main())
    assert result.aborted.wait(20)
    result.finish()  # the event loop is closed by now, and nobody minds


def test_one_that_is_cancelled_while_it_still_looks_aborts_too() -> None:
    async def main() -> None:
        result = Slow()
        waiting = asyncio.ensure_future(arrival(result))
        while not result.looks:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(result.aborted.wait, 20)

    asyncio.run(main())
