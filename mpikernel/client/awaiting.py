"""How a coroutine waits for a result: the event loop runs on, and the loop's attendant tells it when the result is there."""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from mpikernel.errors import ClosedError
from mpikernel.wire.loop import UNATTENDED

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Event

#: For so long (seconds) a coroutine looks for itself, in turn with others, before it leaves that to the attendant, who is slower.
EAGER = UNATTENDED


class Abortable(Protocol):
    """A result that may be awaited."""

    def add_done_callback(self, fn: Any) -> None:
        """As a future's."""

    def done(self) -> bool:
        """As a future's."""

    def ready(self) -> bool:
        """The same, having looked for news."""

    def abort(self) -> None:
        """Cancel what has not begun, and interrupt what runs; waits for the answer."""


async def arrival(result: Abortable) -> None:
    """Wait until a result is done. If the waiting task is cancelled first, it is aborted."""
    import asyncio  # here: 40 ms of imports that only coroutines need, and they have it

    try:
        until = time.monotonic() + EAGER
        while not result.ready() and time.monotonic() < until:
            await asyncio.sleep(0)
        if not result.done():
            await _news(result, asyncio.get_running_loop(), asyncio.Event())
    except asyncio.CancelledError:
        asyncio.get_running_loop().run_in_executor(None, _abort, result)  # it waits for an answer, which the event loop must not
        raise


async def _news(result: Abortable, loop: AbstractEventLoop, there: Event) -> None:
    """Wait until another thread tells that the result is done."""

    def tell(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody awaits it any more
            loop.call_soon_threadsafe(there.set)

    result.add_done_callback(tell)
    await there.wait()


def _abort(result: Abortable) -> None:
    with suppress(ClosedError):  # the world is ending, and the result with it
        result.abort()
