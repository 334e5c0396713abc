"""What ranks tell each other at boot, in a real world under each MPI."""

from __future__ import annotations

from tests.harness.world import World

PROGRAM = """
    import faulthandler, sys
    faulthandler.dump_traceback_later(50, exit=True)

    from mpikernel.errors import LaunchError
    from mpikernel.world.communicators import world_of_this_process
    from mpikernel.world.exchange import SLOT, broadcast, check_same, everyone

    world = world_of_this_process()
    rank = world.Get_rank()
    for said in (b"", b"hello", bytes(range(256)) * 5000):
        assert broadcast(world, said if rank == 0 else None) == said
        assert broadcast(world, said if rank == 0 else b"what others say does not count") == said

    assert everyone(world, b"rank %d" % rank) == [b"rank 0", b"rank 1", b"rank 2"]
    assert everyone(world, bytes(rank)) == [b"", b"\\0", b"\\0\\0"]
    assert [len(said) for said in everyone(world, b"x" * 2 * SLOT)] == [SLOT - 2] * 3

    check_same(["1.0"] * 3, "version")
    try:
        check_same(["1.0", "2.0", "1.0"], "version")
    except LaunchError as error:
        print(error, flush=True)
"""


def test_exchange(world: World) -> None:
    said = "all ranks of a world need the same version, but there is 1.0 on ranks 0, 2; 2.0 on rank 1"
    assert world.plain(3, PROGRAM).stdout.count(said) == 3
