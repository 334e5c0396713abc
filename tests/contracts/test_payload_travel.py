"""Whatever is sent arrives as it was, over every transport: any structure, any array, any size around every boundary."""

from __future__ import annotations

from mpikernel.wire.loopback import loopback_world
from tests.contracts.travelling import CHUNK, THRESHOLD, Peer, check_travel
from tests.harness.environments import ROOT
from tests.harness.world import World

#: The same over MPI: rank 0 sends, rank 1 sends back.
PROGRAM = """
    import faulthandler, os, sys, traceback
    faulthandler.dump_traceback_later(50, exit=True)  # before the limit of the harness: says where it hangs

    root, chunk, threshold = sys.argv[1:]
    sys.path.insert(0, root)
    from mpi4py import MPI
    from mpikernel.wire import bulk, mpi
    from mpikernel.wire.envelope import Parcel
    from mpikernel.wire.messages import Clear
    from tests.contracts.travelling import Peer, check_travel

    world = MPI.COMM_WORLD
    bulk.CHUNK = int(chunk)
    transport = mpi.MpiTransport(world.Dup(), world.Dup(), world.Dup(), int(threshold))
    try:
        if world.rank == 1:
            Peer(transport).serve()
        else:
            check_travel(transport, 1, os.sched_yield, 60)
            transport.post(1, [Parcel(Clear(0))])
        while not transport.idle:
            transport.poll()
    except BaseException:
        traceback.print_exc()
        world.Abort(1)
    print("kept", flush=True)
"""


def test_any_value_travels_in_one_process() -> None:
    own, other = loopback_world(2, THRESHOLD)
    check_travel(own, 1, Peer(other).turn, 200)


def test_any_value_travels_over_mpi(world: World) -> None:
    assert world.plain(2, PROGRAM, ROOT, str(CHUNK), str(THRESHOLD)).stdout.count("kept") == 2
