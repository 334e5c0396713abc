"""The runway: what waits for its frames holds up what follows it from the same sender, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mpikernel.wire.landing import Runway
from mpikernel.wire.messages import Keys
from mpikernel.wire.transport import Arrival


@dataclass
class Flight:
    """A message that says when its frames have landed."""

    arrival: Arrival
    landed: bool = False
    looks: int = field(default=0)

    def __call__(self) -> Arrival | None:
        self.looks += 1
        return self.arrival if self.landed else None


def arrival(sender: int, number: int) -> Arrival:
    return Arrival(sender, Keys(number), ())


def test_what_is_whole_and_has_nothing_before_it_comes_back_at_once() -> None:
    runway = Runway()
    whole = arrival(1, 0)
    assert runway.put(whole) is whole
    assert (list(runway.take()), runway.airborne) == ([], 0)


def test_what_follows_a_large_frame_waits_for_it() -> None:
    runway, flight = Runway(), Flight(arrival(1, 0))
    runway.expect(1, flight)
    assert runway.put(arrival(1, 1)) is None
    assert (list(runway.take()), runway.airborne) == ([], 1)
    flight.landed = True
    assert list(runway.take()) == [arrival(1, 0), arrival(1, 1)]
    assert runway.airborne == 0
    assert runway.put(arrival(1, 2)) is not None


def test_other_senders_are_not_held_up() -> None:
    runway, slow, quick = Runway(), Flight(arrival(1, 0)), Flight(arrival(2, 0), landed=True)
    runway.expect(1, slow)
    runway.expect(2, quick)
    assert runway.put(arrival(3, 0)) is not None
    assert list(runway.take()) == [quick.arrival]
    assert runway.airborne == 1


def test_only_the_first_of_a_sender_is_asked_whether_it_has_landed() -> None:
    runway, first, second = Runway(), Flight(arrival(1, 0)), Flight(arrival(1, 1))
    runway.expect(1, first)
    runway.expect(1, second)
    assert list(runway.take()) == []
    assert (first.looks, second.looks) == (1, 0)


steps = st.lists(st.tuples(st.sampled_from(["whole", "large", "lands", "take"]), st.integers(0, 2)), max_size=40)


@given(steps=steps)
def test_every_sender_keeps_its_order_whatever_lands_first(steps: list[tuple[str, int]]) -> None:
    runway = Runway()
    flights: list[Flight] = []
    delivered: list[Arrival] = []
    counts = [0, 0, 0]
    for step, pick in steps:
        if step in ("whole", "large"):
            message = arrival(pick, counts[pick])
            counts[pick] += 1
            if step == "large":
                flights.append(Flight(message))
                runway.expect(pick, flights[-1])
            else:
                at_once = runway.put(message)
                delivered += [at_once] if at_once else []
        elif step == "lands":
            for flight in flights[pick::3]:
                flight.landed = True
        else:
            delivered += runway.take()
    for flight in flights:
        flight.landed = True
    delivered += runway.take()
    assert runway.airborne == 0
    for sender, count in enumerate(counts):
        assert [each for each in delivered if each.sender == sender] == [arrival(sender, number) for number in range(count)]
