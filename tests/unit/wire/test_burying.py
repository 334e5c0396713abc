"""Who is buried has no part in the world any more, whatever is under way."""

from __future__ import annotations

from mpikernel.wire.envelope import Departure, Parcel
from mpikernel.wire.landing import Runway
from mpikernel.wire.loop import Loop
from mpikernel.wire.loopback import loopback_world
from mpikernel.wire.messages import EngineDied, Goodbye, Interrupt, Leave
from mpikernel.wire.transport import Arrival


def test_nothing_comes_from_the_dead_and_what_goes_there_has_left() -> None:
    here, dead, other = loopback_world(3)
    dead.post(0, [Parcel(Goodbye(1))])
    other.post(0, [Parcel(Goodbye(2))])
    here.bury(1)
    dead.post(0, [Parcel(Goodbye(1))])
    assert [arrival.sender for arrival in here.poll()] == [2]
    departure = Departure(1)
    here.post(1, [Parcel(Interrupt(), [b"large" * 100_000], departure=departure)])
    assert not departure.pending
    assert not dead.poll()


def test_who_is_told_of_a_death_hears_nothing_more_of_the_dead_even_of_what_came_with_the_news() -> None:
    here, dead, controller = loopback_world(3)
    loop = Loop(here)
    heard: list[Arrival] = []
    loop.host(None, dict.fromkeys((EngineDied, Goodbye), lambda _state, _out, arrival, _now: heard.append(arrival)))
    dead.post(0, [Parcel(Goodbye(1))])
    controller.post(0, [Parcel(EngineDied(1, "killed"))])
    dead.post(0, [Parcel(Goodbye(1))])
    controller.post(0, [Parcel(Goodbye(2))])
    loop.turn()
    assert [arrival.message for arrival in heard] == [Goodbye(1), EngineDied(1, "killed"), Goodbye(2)]


def test_who_may_leave_is_told_whom_not_to_wait_for() -> None:
    here, dead, controller = loopback_world(3)
    loop = Loop(here)
    controller.post(0, [Parcel(Leave(died=(1,)))])
    loop.turn()
    assert loop.left
    dead.post(0, [Parcel(Goodbye(1))])
    assert not here.poll()


def test_what_was_in_the_air_from_the_dead_does_not_land() -> None:
    runway = Runway()
    late = Arrival(1, Goodbye(1), ())
    runway.expect(1, lambda: late)
    runway.put(late)
    runway.expect(2, lambda: Arrival(2, Goodbye(2), ()))
    runway.bury(1)
    assert runway.airborne == 1
    assert [arrival.sender for arrival in runway.take()] == [2]
    assert runway.airborne == 0
