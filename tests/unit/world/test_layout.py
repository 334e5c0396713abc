"""Who is where, for every size and wish; what cannot work is refused with a sentence that says what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.errors import LaunchError
from mpikernel.world.layout import AUTO, Layout, arrange
from mpikernel.world.roles import Role

CONTROLLER, SCRIPT, TASK, ENGINE = Role.CONTROLLER, Role.SCRIPT, Role.TASK, Role.ENGINE


def refusal(size: int, asked: list[Role | None] | None = None, interfaces: int = AUTO) -> str:
    with pytest.raises(LaunchError) as caught:
        arrange(size, asked or (), interfaces)
    return str(caught.value)


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        (1, Layout(1, 0, 0, 0, (0,))),
        (2, Layout(2, 0, 0, 0, (1,))),
        (3, Layout(3, 0, 0, 0, (1, 2))),
        (4, Layout(4, 0, 1, 2, (3,))),
        (7, Layout(7, 0, 1, 2, (3, 4, 5, 6))),
    ],
)
def test_sizes(size: int, layout: Layout) -> None:
    assert arrange(size) == layout


@pytest.mark.parametrize(
    ("interfaces", "layout"),
    [(0, Layout(5, 0, 0, 0, (1, 2, 3, 4))), (1, Layout(5, 0, 1, 0, (2, 3, 4))), (2, Layout(5, 0, 1, 2, (3, 4)))],
)
def test_interfaces_that_were_asked_for(interfaces: int, layout: Layout) -> None:
    assert arrange(5, interfaces=interfaces) == layout


@given(size=st.integers(1, 300), interfaces=st.integers(-1, 2))
def test_a_world_has_every_role_and_no_rank_without_one(size: int, interfaces: int) -> None:
    if interfaces > 0 and size < interfaces + 2:
        assert f"mpiexec -n {interfaces + 2}" in refusal(size, interfaces=interfaces)
        return
    check(arrange(size, interfaces=interfaces))


def check(layout: Layout) -> None:
    ranks = range(layout.size)
    assert all(layout.roles(rank) for rank in ranks)
    assert sorted(role.value for rank in ranks for role in layout.roles(rank) if role is not ENGINE) == ["controller", "script", "task"]
    assert [rank for rank in ranks if ENGINE in layout.roles(rank)] == list(layout.engines) != []
    assert CONTROLLER in layout.roles(0)
    if layout.size > 1:
        assert all(layout.roles(rank) == (ENGINE,) for rank in layout.engines), "an engine's main thread belongs to user code"


def test_roles_are_started_in_an_order_in_which_each_finds_the_ones_that_it_needs() -> None:
    assert arrange(1).roles(0) == (CONTROLLER, TASK, SCRIPT, ENGINE)


@pytest.mark.parametrize(
    ("size", "interfaces", "said"),
    [
        (1, 1, "1 interface rank asked for, but the world has 1 rank: start it with mpiexec -n 3 or more"),
        (1, 2, "2 interface ranks asked for, but the world has 1 rank: start it with mpiexec -n 4 or more"),
        (2, 1, "needs 3 ranks, but the world has 2"),
        (3, 2, "2 interface ranks asked for, which with a controller and one engine needs 4 ranks, but the world has 3"),
        (8, 3, "interfaces = 3 was asked for; possible are 0, 1 (script), 2 (script and task), or -1 for automatic"),
        (8, -2, "interfaces = -2 was asked for"),
    ],
)
def test_what_cannot_work_is_refused(size: int, interfaces: int, said: str) -> None:
    assert said in refusal(size, interfaces=interfaces)


def test_roles_by_program() -> None:
    assert arrange(8, [CONTROLLER] * 3 + [ENGINE] * 5) == Layout(8, 0, 1, 2, (3, 4, 5, 6, 7))
    assert arrange(4, [CONTROLLER, ENGINE, ENGINE, ENGINE]) == Layout(4, 0, 0, 0, (1, 2, 3))
    assert arrange(4, [CONTROLLER, ENGINE, None, CONTROLLER]) == Layout(4, 0, 3, 0, (1, 2))
    assert arrange(5, [None, None, TASK, None, SCRIPT]) == Layout(5, 0, 4, 2, (1, 3))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([ENGINE, CONTROLLER], "rank 0 asked to be engine, but rank 0 is the controller: name ipcontroller first on the mpiexec line"),
        ([CONTROLLER, CONTROLLER], "no rank is left to be an engine"),
        ([CONTROLLER] * 5 + [ENGINE], "5 ranks are ipcontroller, but only 3 have a role there: give the others to ipengine"),
        ([CONTROLLER, SCRIPT, SCRIPT, ENGINE], "ranks 1-2 asked to be script, but a world has only one"),
        ([CONTROLLER, CONTROLLER, CONTROLLER, SCRIPT, ENGINE], "3 ranks are ipcontroller, but only 2 have a role there"),
    ],
)
def test_wishes_that_cannot_be_granted(asked: list[Role | None], said: str) -> None:
    assert said in refusal(len(asked), asked)


def test_wishes_of_another_world() -> None:
    assert refusal(3, [None, None]) == "2 ranks said what they want to be, but the world has 3"


@given(asked=st.lists(st.sampled_from([None, *Role]), min_size=2, max_size=8), interfaces=st.integers(-1, 2))
def test_wishes_are_granted_or_refused_but_never_forgotten(asked: list[Role | None], interfaces: int) -> None:
    try:
        layout = arrange(len(asked), asked, interfaces)
    except LaunchError:
        return
    check(layout)
    for rank, wish in enumerate(asked):
        assert wish in (None, CONTROLLER) or wish in layout.roles(rank)
        assert wish is not CONTROLLER or ENGINE not in layout.roles(rank)


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (arrange(7), "controller 0, script 1, task 2, engines 3-6"),
        (arrange(4), "controller 0, script 1, task 2, engines 3"),
        (arrange(5, [None, None, TASK, None, SCRIPT]), "controller 0, script 4, task 2, engines 1,3"),
    ],
)
def test_describing_it(layout: Layout, text: str) -> None:
    assert layout.describe() == text
