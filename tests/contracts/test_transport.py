"""The promise of a transport, over every transport there is: in one process, and as a real world under each MPI."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mpikernel.testing.station import Check, run_check
from mpikernel.testing.transport import CHECKS, THRESHOLD, check_transport
from mpikernel.wire.envelope import Parcel
from mpikernel.wire.loopback import LoopbackTransport, loopback_world
from mpikernel.wire.messages import URGENT
from mpikernel.wire.transport import Arrival
from tests.harness.world import World

#: The suite as an MPI program. With an argument, large frames go in pieces of so many bytes. It ends with mail under way.
PROGRAM = """
    import faulthandler, sys
    faulthandler.dump_traceback_later(50, exit=True)  # before the limit of the harness: says where it hangs

    from mpi4py import MPI
    from mpikernel.testing.transport import LARGE, check_transport
    from mpikernel.wire import bulk, mpi
    from mpikernel.wire.envelope import Parcel
    from mpikernel.wire.messages import Keys

    world = MPI.COMM_WORLD

    def make_world(threshold):
        return [mpi.MpiTransport(world.Dup(), world.Dup(), world.Dup(), threshold)]

    if len(sys.argv) > 1:
        bulk.CHUNK = bulk.RELAYED = int(sys.argv[1])
    try:
        check_transport(make_world)
        [last] = make_world(100)
        last.post((last.rank + 1) % last.size, [Parcel(Keys(1), [bytes(LARGE), bytes(LARGE)])])
        assert not last.idle and last.moving == (last.size > 1)
        last.close()
        MPI.Finalize()  # nobody ever receives what is under way; this must neither wait for it nor read memory that is gone
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        world.Abort(1)
    print("kept", flush=True)
"""


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise_in_one_process(check: Check, size: int) -> None:
    run_check(check, loopback_world(size, THRESHOLD), limit=30)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_promise_over_mpi(world: World, n: int) -> None:
    assert world.plain(n, PROGRAM).stdout.count("kept") == n


def test_promise_over_mpi_with_frames_in_pieces(world: World) -> None:
    assert world.plain(2, PROGRAM, str(THRESHOLD // 3)).stdout.count("kept") == 2


# what the checks find ---------------------------------------------------------------------------------------------------


class Loses(LoopbackTransport):
    def poll(self) -> list[Arrival]:
        return super().poll()[:50]


class Doubles(LoopbackTransport):
    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        super().post(rank, [*parcels, *parcels[-1:]])


class TurnsAround(LoopbackTransport):
    def poll(self) -> list[Arrival]:
        return super().poll()[::-1]


class TurnsUrgentAround(LoopbackTransport):
    def poll(self) -> list[Arrival]:
        arrived = super().poll()
        urgent = [arrival for arrival in arrived if type(arrival.message) in URGENT]
        return urgent[::-1] + arrived[len(urgent) :]


class SharesMemory(LoopbackTransport):
    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        self._world[rank].deliver([Arrival(self.rank, parcel.message, parcel.frames) for parcel in parcels])


class ReadOnly(LoopbackTransport):
    def poll(self) -> list[Arrival]:
        return [arrival._replace(frames=list(map(bytes, arrival.frames))) for arrival in super().poll()]


class CutsShort(LoopbackTransport):
    def poll(self) -> list[Arrival]:
        return [arrival._replace(frames=[frame[:THRESHOLD] for frame in arrival.frames]) for arrival in super().poll()]


class SendsUnderAnotherName(LoopbackTransport):
    def poll(self) -> list[Arrival]:
        return [arrival._replace(sender=0) for arrival in super().poll()]


class SaysThatItMoves(LoopbackTransport):
    moving = True


class IsNeverIdle(LoopbackTransport):
    idle = False


@pytest.mark.parametrize(
    "broken",
    [
        Loses,
        Doubles,
        TurnsAround,
        TurnsUrgentAround,
        SharesMemory,
        ReadOnly,
        CutsShort,
        SendsUnderAnotherName,
        SaysThatItMoves,
        IsNeverIdle,
    ],
)
def test_check_transport_finds_a_transport_that(broken: type[LoopbackTransport]) -> None:
    def make_world(threshold: int) -> list[LoopbackTransport]:
        world: dict[int, LoopbackTransport] = {}
        return [broken(rank, 2, world, threshold) for rank in range(2)]

    with pytest.raises(AssertionError, match=r"rank [01]"):
        check_transport(make_world, limit=0.3)


def test_check_transport_gives_each_check_a_world_of_its_own_and_closes_it() -> None:
    closed: list[int] = []

    class Noting(LoopbackTransport):
        def close(self) -> None:
            closed.append(self.rank)

    def make_world(threshold: int) -> list[LoopbackTransport]:
        world: dict[int, LoopbackTransport] = {}
        return [Noting(rank, 2, world, threshold) for rank in range(2)]

    check_transport(make_world)
    assert closed == [0, 1] * len(CHECKS)


def test_a_check_that_does_not_end_says_how_everybody_stands() -> None:
    class Deaf(LoopbackTransport):
        def poll(self) -> list[Arrival]:
            return []

    with pytest.raises(
        AssertionError, match=r"frames_around_the_threshold was not over after 0\.05 s: rank 0 has 0 messages to collect, idle=True"
    ):
        run_check(next(check for check in CHECKS if check.__name__ == "frames_around_the_threshold"), [Deaf(0, 1, {}, THRESHOLD)], 0.05)
