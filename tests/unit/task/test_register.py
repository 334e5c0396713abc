"""Whoever has a task is found by its number, and few others are looked at."""

from __future__ import annotations

import pytest

from mpikernel.interfaces.task.register import BITS, Register

BLOCK = 1 << BITS


def test_nobody_has_anything() -> None:
    register: Register[str] = Register()
    assert list(register.near(5)) == []
    assert register.around(range(10**6)) == set()


def test_all_who_have_some_of_the_tasks_are_found_and_no_more_than_their_neighbours() -> None:
    register: Register[int] = Register()
    for holder in range(1000):
        register.enter(range(10 * holder, 10 * holder + 10), holder)
    assert 123 in set(register.near(1234))
    assert len(list(register.near(1234))) <= BLOCK // 10 + 2
    assert register.around(range(1000, 1010 + BLOCK)) >= set(range(100, 101 + BLOCK // 10))


def test_who_has_less_is_found_by_what_is_left_alone() -> None:
    register: Register[str] = Register()
    register.enter(range(4 * BLOCK), "many")
    register.change(range(4 * BLOCK), range(2 * BLOCK + 1, 3 * BLOCK), "many")
    assert register.around(range(2 * BLOCK)) == register.around(range(3 * BLOCK, 4 * BLOCK)) == set()
    assert list(register.near(2 * BLOCK + 5)) == ["many"]
    register.check({"many": range(2 * BLOCK + 1, 3 * BLOCK)})
    register.strike(range(2 * BLOCK + 1, 3 * BLOCK), "many")
    register.check({})


def test_what_is_not_as_it_should_be_is_noticed() -> None:
    register: Register[str] = Register()
    register.enter(range(3), "some")
    with pytest.raises(AssertionError, match="not everybody is found"):
        register.check({})
