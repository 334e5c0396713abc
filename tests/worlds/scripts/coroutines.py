"""Results that coroutines await, in an event loop of the script's. Runs in a world of any size."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any

from called import nap, refuse_odd, square
from checks import raises, run_checks

from mpikernel import AsyncResult, Client, Pool
from mpikernel.errors import CompositeError, TaskAborted, remote_text

client = Client()
view = client.load_balanced_view()
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


async def value_of(result: Any) -> Any:
    return await result


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """It must end in time."""
    return asyncio.run(asyncio.wait_for(coroutine, 30))


def check_awaiting_gives_the_value() -> None:
    async def main() -> None:
        assert await view.apply_async(square, 3) == 9
        assert await client[0].apply_async(square, 3) == 9
        assert await client[:].apply_async(square, 3) == [9] * COUNT
        assert await view.map_async(square, range(5)) == [0, 1, 4, 9, 16]
        result = view.apply_async(nap, 0.05)
        assert (await result, await result, result.get()) == (0.05, 0.05, 0.05)  # again and again, and otherwise
        with client.executor() as executor:
            assert await executor.submit(square, 4) == 16
        with Pool() as pool:
            assert await pool.apply_async(square, (4,)) == 16
            assert await pool.map_async(square, range(4)) == [0, 1, 4, 9]
            with raises(ValueError, "1 is odd"):
                await pool.map_async(refuse_odd, range(4))

    run(main())


def check_many_at_once() -> None:
    async def main() -> None:
        results = [view.apply_async(square, number) for number in range(1000)]
        assert await asyncio.gather(*results) == [x * x for x in range(1000)]
        assert {await first for first in asyncio.as_completed([view.apply_async(square, x) for x in range(50)])} == {
            x * x for x in range(50)
        }

    run(main())


def check_exceptions_keep_their_type() -> None:
    async def main() -> None:
        with raises(ValueError, "3 is odd") as caught:
            await view.apply_async(refuse_odd, 3)
        assert type(caught.error) is ValueError
        assert "refuse_odd" in remote_text(caught.error)
        with raises(CompositeError, "3 is odd"):
            await client[:].apply_async(refuse_odd, 3)
        values = await asyncio.gather(*(view.apply_async(refuse_odd, x) for x in range(3)), return_exceptions=True)
        assert (values[0], str(values[1]), values[2]) == (0, "1 is odd", 2)

    run(main())


def check_other_coroutines_go_on_meanwhile() -> None:
    if not APART:
        return

    async def main() -> None:
        ticks = 0
        waiting = asyncio.ensure_future(value_of(view.apply_async(nap, 0.5)))
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 10

    run(main())


def check_one_after_the_other() -> None:
    async def main() -> None:
        assert [await view.apply_async(square, number) for number in range(200)] == [x * x for x in range(200)]
        for number in range(5):
            await asyncio.sleep(0.15)  # the world is idle
            assert await view.apply_async(square, number) == number * number

    run(main())


def check_time_limits() -> None:
    if not APART:
        return

    async def main() -> None:
        began = time.monotonic()
        with raises(TimeoutError):
            await asyncio.wait_for(view.apply_async(nap, 1.0), 0.05)
        assert time.monotonic() - began < 0.9
        assert await asyncio.wait_for(view.apply_async(square, 3), 20) == 9

    run(main())
    client.wait()


def check_cancelling_the_task_cancels_what_has_not_begun() -> None:
    if not APART:
        return

    async def main() -> tuple[list[AsyncResult], AsyncResult]:
        busy = [view.apply_async(nap, 0.3) for _ in range(3 * COUNT)]
        last = view.apply_async(square, 3)
        task = asyncio.create_task(value_of(last))
        await asyncio.sleep(0.05)
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
        with raises(CancelledError, "square"):
            await last
        return busy, last

    busy, last = run(main())
    assert last.cancelled()
    assert [result.get() for result in busy] == [0.3] * len(busy)


def check_what_was_cancelled_is_not_taken_for_the_tasks_own_end() -> None:
    if not APART:
        return

    async def main() -> None:
        busy = [view.apply_async(nap, 0.3) for _ in range(3 * COUNT)]
        last = view.apply_async(square, 3)
        asyncio.get_running_loop().call_later(0.05, last.abort)
        with raises(TaskAborted, "square"):
            await last
        view.abort(busy)

    run(main())
    client.wait()


def check_an_event_loop_that_ends_first() -> None:
    async def main() -> list[AsyncResult]:
        results = [view.apply_async(nap, 0.1) for _ in range(COUNT)]
        tasks = [asyncio.create_task(value_of(result)) for result in results]
        await asyncio.sleep(0.02)
        assert len(tasks) == COUNT
        return results

    results = run(main())  # cancels the tasks
    client.wait(results)
    assert all(result.done() for result in results)


def check_the_means_of_asyncio() -> None:
    async def main() -> None:
        assert await asyncio.wrap_future(view.apply_async(square, 3)) == 9
        done, pending = await asyncio.wait([asyncio.ensure_future(view.apply_async(square, x)) for x in range(3)])
        assert (sorted(task.result() for task in done), pending) == ([0, 1, 4], set())

    run(main())


run_checks(globals())
