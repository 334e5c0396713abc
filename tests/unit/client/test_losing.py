"""An engine dies, as the script sees it: its calls end with an error that names it, and everything else goes on."""

from __future__ import annotations

from typing import Any

import pytest

from mpikernel import Client
from mpikernel.client.result import AsyncResult
from mpikernel.controller.reactor import lose
from mpikernel.errors import CompositeError, EngineDiedError, NoEnginesError
from mpikernel.testing.loopback import LoopbackWorld


def kill(world: LoopbackWorld, engine: int) -> None:
    """An engine takes no turns any more, and the controller has heard."""
    rank = world.layout.engines[engine]
    world.loops[rank].turn = lambda: False  # type: ignore[method-assign]  # the process is gone
    world.engines[engine].queue.clear()
    lose(world.controller, world.loops[0].out, rank, "it was killed", world.clock())
    world.settle()


@pytest.fixture
def client(world: LoopbackWorld) -> Client:
    return Client()


def test_a_call_there_ends_with_an_error_that_names_the_engine(client: Client, world: LoopbackWorld) -> None:
    result = client[0].apply_async(abs, -1)
    world.settle()
    kill(world, 0)
    with pytest.raises(EngineDiedError, match=r"^engine 0 \(rank 3 on host3\) died: it was killed; it had apply abs$"):
        result.get()


def test_of_several_only_the_dead_fail(client: Client, world: LoopbackWorld) -> None:
    result: AsyncResult = client[:].apply_async(abs, -1)
    world.settle()
    kill(world, 1)
    world.run()
    with pytest.raises(CompositeError, match=r"abs failed in 1 of 2 calls: \[engine 1\] EngineDiedError"):
        result.get()


def test_ids_shrink_and_views_of_all_go_on_with_the_rest(client: Client, world: LoopbackWorld) -> None:
    everybody, first = client[:], client[0]
    every: Any = client.direct_view("all")
    kill(world, 0)
    assert (client.ids, len(client), client[-1].targets) == ([1], 1, 1)
    assert every.targets == [1]
    with world.working():
        assert every.apply_sync(abs, -2) == [2]
        assert client.load_balanced_view().map_sync(abs, [-1, -2]) == [1, 2]
    for view in (first, everybody):
        with pytest.raises(
            EngineDiedError, match=r"engine 0 \(rank 3 on host3\) died: it was killed; client.ids are .*'all', or make it anew"
        ):
            view.apply_async(abs, -1)
    with pytest.raises(EngineDiedError, match="engine 0 died: it was killed; there is one engine, 1"):
        client[0]


def test_tasks_for_the_dead_alone_are_refused_at_once(client: Client, world: LoopbackWorld) -> None:
    only, both = client.load_balanced_view([0]), client.load_balanced_view([0, 1])
    kill(world, 0)
    with pytest.raises(EngineDiedError, match="engine 0"):
        only.apply_async(abs, -1)
    with world.working():
        assert both.apply_sync(abs, -1) == 1
    kill(world, 1)
    with pytest.raises(NoEnginesError, match=r"no engine is left: engine 0 .*; engine 1 "):
        both.apply_async(abs, -1)
    with pytest.raises(NoEnginesError, match=r"^no engine is left: engine 0 died: it was killed; engine 1 died: it was killed$"):
        client.load_balanced_view().apply_async(abs, -1)


def test_its_tasks_run_elsewhere(client: Client, world: LoopbackWorld) -> None:
    results = [client.load_balanced_view().apply_async(abs, -number) for number in range(6)]
    world.settle()
    world.begin(0)
    kill(world, 0)
    world.run()
    assert [result.get() for result in results] == [*range(6)]


def test_the_world_ends_without_the_dead(client: Client, world: LoopbackWorld) -> None:
    kill(world, 0)
    world.controller.check()
    assert world.controller.living == [0, 1, 2, 4]
