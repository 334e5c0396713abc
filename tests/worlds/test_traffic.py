"""Much data under way in real worlds: windows, trees, memory that runs out, sizes beyond 2 GiB, what is left afterwards."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 3, 7])
def test_traffic(world: World, n: int) -> None:
    assert_checked(world(n, f"--transfer-window={1 << 20}", SCRIPTS / "traffic.py", limit=120))


def test_an_array_of_more_than_2_gib(world: World) -> None:
    script = """
        import numpy as np
        from mpikernel import Client, Reference

        engine = Client()[0]
        array = np.arange((1 << 28) + 512, dtype=np.int64)  # 2 GiB and a page
        engine.push({"x": array}, block=True)
        assert engine.apply_sync(np.array_equal, Reference("x[-600:]"), array[-600:])
        assert engine.apply_sync(np.array_equal, Reference("x[::5000]"), array[::5000])
        print("whole")
    """
    assert "whole" in world.script(4, script, limit=120).stdout


def test_a_thousand_transfers_leave_nothing_behind(world: World) -> None:
    script = """
        import os, gc
        import numpy as np
        from mpikernel import Client, Reference

        client = Client()
        view = client[:]

        def held():
            import gc, os
            gc.collect()
            with open("/proc/self/status") as file:
                fields = dict(line.split(":", 1) for line in file)
            with open("/proc/self/maps") as file:
                shared = sum("/dev/shm/" in line for line in file)
            return len(os.listdir("/proc/self/fd")), int(fields["VmRSS"].split()[0]) >> 10, shared

        def transfers(count):
            array = np.ones(100_000)  # 800 kB
            for number in range(count):
                view.push({"x": array}, block=True)
                client[number % len(client)].pull("x", block=True)
                view.apply_sync(np.negative, Reference("x"))

        transfers(50)
        before = [held(), *view.apply_sync(held)]
        transfers(250)  # of 4 or more arrays each
        after = [held(), *view.apply_sync(held)]
        transport = client.port.loop.transport
        client.port.loop.wait(lambda: transport.idle, 10)
        assert transport.idle and not transport.moving
        assert not client.port.state.open and not client.port.state.traffic.untaken
        for (files, memory, shared), (more_files, more_memory, more_shared) in zip(before, after):
            assert more_files <= files and more_shared <= shared, (before, after)
            assert more_memory <= memory + 20, (before, after)
        print("nothing left")
    """
    assert "nothing left" in world.script(5, script, limit=120).stdout


@pytest.mark.parametrize("rank", [1, 3])
def test_a_rank_that_is_killed_in_the_middle_of_a_transfer(world: World, rank: int) -> None:
    script = """
        import numpy as np
        from mpikernel import Client

        view = Client()[:]
        array = np.ones(8 << 20)
        view.push({"x": array}, block=True)
        print("ready", flush=True)
        while True:
            view.push({"x": array}, block=True)
    """
    with world.start_script(5, script) as running:
        running.wait_for_line(r"^ready$", limit=60)
        running.rank(rank).kill()
        assert running.wait(limit=10).exit_code != 0
