"""How many items go in one task."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpikernel.client.chunking import AIM, ENOUGH, GROWTH, MUCH, AdaptiveSizes, FixedSizes


def settled(sizes: AdaptiveSizes, each: float, rounds: int = 60) -> int:
    """The size after tasks have been measured whose items take so long."""
    for _ in range(rounds):
        size = sizes.next()
        sizes.measured(size, 1, lambda size=size: each * size)  # type: ignore[misc]  # mypy does not type such lambdas
    return sizes.next()


def test_the_first_tasks_have_one_item_and_sizes_grow_by_measure() -> None:
    sizes = AdaptiveSizes(4, None, None)
    assert [sizes.next(), sizes.next()] == [1, 1]
    sizes.measured(1, 1, lambda: None)  # it was cancelled, and tells nothing
    assert sizes.next() == 1
    sizes.measured(2, 2, lambda: 2e-6)
    assert sizes.next() == GROWTH


@given(st.floats(1e-8, 10))
def test_tasks_come_to_take_as_long_as_is_meant(each: float) -> None:
    size = settled(AdaptiveSizes(4, None, None), each)
    assert size == 1 or 0.4 * AIM <= size * each <= 1.1 * AIM


def test_a_first_item_that_imports_is_forgotten() -> None:
    sizes = AdaptiveSizes(1, None, None)
    sizes.measured(1, 1, lambda: 2.0)
    assert settled(sizes, 1e-5) > 1000


def test_no_task_has_more_than_its_share_of_what_is_left() -> None:
    sizes = AdaptiveSizes(4, 1000, None)
    assert settled(sizes, 1e-4) == 1000 // 8
    sizes.read(920, 920, 1e-6)
    assert sizes.next() == 80 // 8  # 1 ms, the least that is worth a task, is as much


def test_quick_items_do_not_end_in_tiny_tasks() -> None:
    sizes = AdaptiveSizes(4, 1 << 20, None)
    assert settled(sizes, 1e-6) > 20_000
    sizes.read((1 << 20) - 8, 1, 1e-6)
    assert sizes.next() > 900


def test_heavy_items_and_slow_sources_make_small_tasks() -> None:
    for weight, seconds in ((10 * ENOUGH // 5, 1e-9), (10, 0.1)):
        sizes = AdaptiveSizes(4, None, None)
        assert settled(sizes, 1e-6) > 1000
        sizes.read(10, weight, seconds)
        assert sizes.next() < 10
    assert AdaptiveSizes(4, None, None).too_heavy(ENOUGH + 1)


def test_there_is_always_a_next_item() -> None:
    sizes = AdaptiveSizes(4, 0, 1)
    sizes.read(5, 0, 0.0)  # more than the sequence said it has
    assert sizes.next() == 1
    assert settled(AdaptiveSizes(1, None, 3), 1e-6) == 3


def test_what_the_user_says_stays() -> None:
    sizes = FixedSizes(7)
    sizes.read(7, 1 << 30, 5.0)
    sizes.measured(7, 1, lambda: 9.0)
    assert sizes.next() == 7
    assert not sizes.too_heavy(1 << 40)


def test_tasks_do_not_bring_more_than_the_script_should_hold_at_once() -> None:
    sizes = AdaptiveSizes(4, None, None)
    assert settled(sizes, 1e-6) > 1000
    sizes.measured(2, 1, lambda: 2e-6, MUCH)
    assert sizes.next() == 2
    sizes.measured(2, 1, lambda: 2e-6, 20)
    assert sizes.next() > 1000
