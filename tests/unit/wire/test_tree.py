"""The tree down which large frames go to many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpikernel.wire.tree import WIDTH, tree


@given(ranks=st.lists(st.integers(1, 500), unique=True, max_size=100))
def test_everybody_is_reached_once_and_knows_where_from(ranks: list[int]) -> None:
    routes = tree(0, ranks)
    assert list(routes) == ranks
    assert [rank for rank, route in routes.items() if route.parent == 0] == ranks[:1]
    assert all(rank in routes[route.parent].children for rank, route in routes.items() if route.parent)
    assert sorted(child for route in routes.values() for child in route.children) == sorted(ranks[1:])
    assert all(len(route.children) <= WIDTH for route in routes.values())


def test_those_who_come_last_pass_nothing_on() -> None:
    routes = tree(0, list(range(1, 10)))
    assert [rank for rank, route in routes.items() if not route.children] == [5, 6, 7, 8, 9]
