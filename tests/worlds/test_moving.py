"""Large arrays on their way to engines and back: what lands where, what may come between, and what is left when ranks die."""

from __future__ import annotations

import os

import pytest

from tests.harness.waiting import wait_until
from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_gathers(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "gathering.py"))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_pushes_to_shared_memory(world: World, n: int) -> None:
    assert_checked(world(n, SCRIPTS / "sharing.py"))


#: Python runs this at its start: it gives each rank another name of its host.
NAMES = """
import os
rank = os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK")
if rank is not None:
    real, name = os.uname(), "aaaabbccc"[int(rank)]
    os.uname = lambda: os.uname_result((real.sysname, name, *real[2:]))
"""


def test_each_host_has_one_copy_of_what_is_shared(world: World) -> None:
    (world.cwd / "sitecustomize.py").write_text(NAMES)
    source = """
        import numpy as np
        from mpikernel import Client
        client = Client()
        data = np.arange(1 << 20, dtype=float)
        client[:].push({"x": data, "y": [data[::-1], 1]}, block=True, share=True)
        def look():
            import re
            return {line.split()[4] for line in open("/proc/self/maps") if "/dev/shm/#" in line}
        assert client[:].execute("float(x.sum()) - float(y[0].sum()), x[7], y[0][0], x.flags.writeable", block=True) == [
            (0.0, 7.0, float(len(data) - 1), False)
        ] * 6
        files = client[:].apply_sync(look)
        assert client[:].apply_async(abs, 1).host == list("abbccc")
        assert [len(each) for each in files] == [1] * 6
        assert files[1] == files[2] and files[3] == files[4] == files[5]
        assert len(set.union(*files)) == 3, files
    """
    paths = os.pathsep.join(filter(None, (str(world.cwd), os.environ.get("PYTHONPATH"))))
    world.script(9, source, env={"PYTHONPATH": paths})


def taken() -> int:
    """Bytes of /dev/shm that are in use."""
    room = os.statvfs("/dev/shm")
    return (room.f_blocks - room.f_bfree) * room.f_frsize


def test_nothing_is_left_in_shared_memory_when_everybody_is_killed(world: World) -> None:
    size = 1 << 30
    source = f"""
        import numpy as np, time
        from mpikernel import Client
        Client()[:].push({{"x": np.ones({size}, "u1")}}, block=True, share=True)
        print("shared", flush=True)
        time.sleep(60)
    """
    names, before = set(os.listdir("/dev/shm")), taken()
    with world.start_script(4, source) as running:
        running.wait_for_line("^shared$", 50)
        assert taken() > before + size // 2
        running.kill(4)
        assert wait_until(lambda: taken() < before + size // 2, 20)
    assert not [name for name in set(os.listdir("/dev/shm")) - names if name.startswith("#")]
