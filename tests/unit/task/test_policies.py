"""Placement policies: which engine each chooses of those that have room."""

from __future__ import annotations

from collections import Counter

import pytest

from mpikernel.config.spec import OPTIONS
from mpikernel.errors import UsageError
from mpikernel.interfaces.task.policies import POLICIES, leastload, lru, plainrandom, policy_named, twobin, weighted
from mpikernel.interfaces.task.state import TaskState
from mpikernel.wire.messages import Submit
from mpikernel.wire.notebook import Notebook
from mpikernel.wire.terms import Terms
from tests.unit.task.bench import CLIENT, FIRST, ROOM, SECOND, Bench


class Given:
    """Three engines: the one with most to do is the one that was given something first."""

    def work(self, engine: int) -> float:
        return (3.0, 1.0, 2.0)[engine]

    def turn(self, engine: int) -> int:
        return (1, 3, 2)[engine]


ENGINES, LOADS = [0, 1, 2], Given()


def test_least_load_and_least_recently_used() -> None:
    assert leastload(ENGINES, LOADS) == 1
    assert lru(ENGINES, LOADS) == 0
    assert leastload([0, 2], LOADS) == 2


def test_chance_chooses_every_engine_and_nobody_else() -> None:
    assert {plainrandom(ENGINES, LOADS) for _ in range(200)} == {0, 1, 2}


def test_two_bins_prefer_who_has_waited_longer() -> None:
    drawn = Counter(twobin(ENGINES, LOADS) for _ in range(2000))
    assert drawn[0] > drawn[2] > drawn[1] > 0


def test_weights_prefer_who_has_less_to_do() -> None:
    drawn = Counter(weighted(ENGINES, LOADS) for _ in range(2000))
    assert drawn[1] > drawn[2] > drawn[0] > 0


@pytest.mark.parametrize("name", POLICIES)
def test_each_hands_out_everything_there_is_room_for(name: str) -> None:
    bench = Bench(name)
    bench.submit(*range(3 * ROOM))
    room = 1 if name == "pure" else ROOM
    assert (len(bench.given(FIRST)), len(bench.given(SECOND))) == (room, room)


def test_pure_gives_an_engine_its_next_task_when_it_has_ended_one() -> None:
    bench = Bench("pure")
    bench.submit(1, 2, 3)
    bench.out.mail.clear()
    bench.end_well(1, 2)
    assert (bench.given(FIRST), bench.given(SECOND)) == ([], [3])


def test_of_what_comes_in_one_turn_that_of_the_highest_priority_goes_first() -> None:
    bench = Bench("pure")
    for number, priority in enumerate((0, 0, 5)):
        bench.hear(CLIENT, Submit(number, b"f", 1, "f", 5.0, False, Terms(priority=priority), 0), [b"code", b"args"])
    assert not bench.out.mail
    bench.pass_time(0.0)
    assert (bench.given(FIRST), bench.given(SECOND)) == ([2], [0])


def test_lru_goes_round() -> None:
    bench = Bench("lru")
    bench.submit(1)
    bench.end_well(0, 1)
    bench.submit(2)
    assert (bench.given(FIRST), bench.given(SECOND)) == ([1], [2])


def test_a_policy_that_is_none() -> None:
    with pytest.raises(UsageError, match="policy='best' is no policy of placing tasks: it is one of leastload, lru, "):
        policy_named("best")


def test_every_policy_can_be_chosen_by_a_setting() -> None:
    option = OPTIONS["policy"]
    assert option.choices == tuple(POLICIES)
    assert option.default == TaskState(Notebook(0), []).policy
