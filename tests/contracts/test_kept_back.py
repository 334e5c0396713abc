"""MPI may keep an envelope back while its memory is full of others. Its receiver, which sleeps by then, is rung for again."""

from __future__ import annotations

from tests.harness.world import World

#: Rank 0 fills MPI's memory with mail for rank 1, which takes none until rank 0 has seen whether rank 2 gets any meanwhile.
PROGRAM = """
    import faulthandler, time
    faulthandler.dump_traceback_later(50, exit=True)  # before the limit of the harness: says where it hangs

    from pathlib import Path
    from mpi4py import MPI
    from mpikernel.wire.envelope import Parcel
    from mpikernel.wire.messages import Keys
    from mpikernel.wire.mpi import MpiTransport

    MANY, PATIENCE = 2000, 1.0
    comm, came, taken = MPI.COMM_WORLD, Path("came"), Path("taken")
    transport = MpiTransport(comm.Dup(), comm.Dup(), comm.Dup(), 1 << 16)
    comm.Barrier()
    if comm.rank == 0:
        told = []
        transport.posted = told.append
        for number in range(MANY):
            transport.post(1, [Parcel(Keys(number), [bytes(100)])])
        transport.post(2, [Parcel(Keys(MANY))])
        assert told.count(2) == 1
        begun = time.monotonic()
        while not came.exists() and time.monotonic() - begun < PATIENCE:
            transport.poll()
        kept_back = not came.exists()
        taken.touch()
        while not transport.idle:
            transport.poll()
        assert not kept_back or told.count(2) > 1, "it was kept back, and its receiver heard of it only then"
    elif comm.rank == 1:
        while not taken.exists():
            time.sleep(1e-3)
        count = 0
        while count < MANY:
            count += len(transport.poll())
    else:
        while not transport.poll():
            pass
        came.touch()
    print("ended", flush=True)
"""


def test_who_gets_an_envelope_late_is_told_again(world: World) -> None:
    assert world.plain(3, PROGRAM).stdout.count("ended") == 3
