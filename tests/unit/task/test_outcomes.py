"""What is remembered of tasks that have ended, and where those are found that need them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpikernel.interfaces.task.needs import BITS, nodes_of
from mpikernel.interfaces.task.outcomes import TOGETHER, Ended, Outcomes
from mpikernel.ledger.records import ABORTED, ERROR, OK


def ended(first: int, count: int, status: str, engine: int) -> Ended:
    return Ended(range(first, first + count), status, engine)


def test_how_tasks_ended_is_told_of_ranges() -> None:
    outcomes = Outcomes()
    outcomes.put(ended(10, 3, OK, 2))
    outcomes.put(ended(14, 1, ERROR, 0))
    outcomes.put(ended(15, 1, ABORTED, -1))
    assert set(outcomes.within(range(11, 111))) == {ended(11, 2, OK, 2), ended(14, 1, ERROR, 0), ended(15, 1, ABORTED, -1)}
    assert list(outcomes.within(range(13, 14))) == []
    assert list(outcomes.within(range(1000, 10**9))) == []


def test_what_is_settled_is_forgotten() -> None:
    outcomes = Outcomes()
    outcomes.put(ended(0, 10 * TOGETHER, OK, 0))
    outcomes.forget(9 * TOGETHER)
    assert len(outcomes) == TOGETHER
    assert list(outcomes.within(range(9 * TOGETHER - 5, 9 * TOGETHER + 1))) == [ended(9 * TOGETHER, 1, OK, 0)]
    outcomes.put(ended(9 * TOGETHER - 5, 7, ERROR, 1))
    assert set(outcomes.within(range(9 * TOGETHER + 3))) == {ended(9 * TOGETHER, 2, ERROR, 1), ended(9 * TOGETHER + 2, 1, OK, 0)}
    outcomes.forget(100 * TOGETHER)
    outcomes.put(ended(5, 1, OK, 0))
    assert len(outcomes) == 0


@given(first=st.integers(0, 5000), count=st.integers(0, 5000))
def test_a_range_is_few_nodes_that_have_nothing_in_common(first: int, count: int) -> None:
    nodes = list(nodes_of(first, first + count))
    numbers = [number for level, index in nodes for number in range(index << level * BITS, (index + 1) << level * BITS)]
    assert sorted(numbers) == list(range(first, first + count))
    assert len(nodes) <= 2 * 31 * 4


def test_whether_all_have_ended() -> None:
    outcomes = Outcomes()
    outcomes.put(ended(0, 10 * TOGETHER, OK, 0))
    outcomes.put(ended(10 * TOGETHER + 1, 1, ERROR, 0))
    assert outcomes.all_ended(range(5, 10 * TOGETHER))
    assert not outcomes.all_ended(range(5, 10 * TOGETHER + 1))
    assert not outcomes.all_ended(range(10 * TOGETHER + 1, 10 * TOGETHER + 3))
    outcomes.forget(9 * TOGETHER)
    assert outcomes.all_ended(range(5))
    assert outcomes.all_ended(range(5, 9 * TOGETHER + 1))
