"""Who waits in vain: told from what each engine does."""

from __future__ import annotations

from mpikernel.client.deadlock import lost
from mpikernel.wire.sitting import COLLECTIVE, OTHER, RECEIVE, SEND, Waits

ALL = range(4)


def barrier(*peers: int, name: str = "Barrier") -> Waits:
    return Waits(name, COLLECTIVE, peers, each=True, sure=True)


def receive(source: int) -> Waits:
    return Waits("recv", RECEIVE, (source,), each=True, sure=True)


def send(dest: int) -> Waits:
    return Waits("send", SEND, (dest,), each=True, sure=True)


ANY = Waits("recv", RECEIVE, (), each=False, sure=True)
UNKNOWN = Waits("Wait", OTHER, (), each=False, sure=False)


def test_who_waits_for_all_waits_for_one_that_has_gone() -> None:
    assert lost({2}, {0: barrier(1, 2, 3), 3: barrier(0, 1, 2)}, ALL) == {0, 3}
    assert lost({2}, {0: barrier(1), 1: barrier(0)}, ALL) == set(), "it has nothing to do with them"
    assert lost(set(), {0: barrier(1, 2, 3)}, ALL) == set()


def test_who_works_may_yet_come() -> None:
    assert lost({2}, {0: receive(1)}, ALL) == set()
    assert lost({2}, {0: ANY}, ALL) == set()
    assert lost({1, 2}, {0: ANY, 3: receive(0)}, ALL) == {0, 3}
    assert lost({1, 2, 3}, {0: UNKNOWN}, ALL) == {0}
    assert lost({1, 2}, {0: UNKNOWN}, ALL) == set()


def test_who_waits_for_one_that_waits_in_vain_does_so_too() -> None:
    assert lost({3}, {0: receive(1), 1: receive(2), 2: receive(3)}, ALL) == {0, 1, 2}
    assert lost({3}, {0: receive(1), 2: receive(3)}, ALL) == {2}
    assert lost({3}, {0: barrier(1, 2, 3), 1: send(0)}, ALL) == {0, 1}


def test_who_wait_for_each_other() -> None:
    assert lost({3}, {0: ANY, 1: receive(0), 2: receive(0)}, ALL) == {0, 1, 2}
    assert lost({3}, {0: ANY, 1: receive(0)}, ALL) == set(), "engine 2 may send"
    assert lost({3}, {0: send(1), 1: send(0)}, ALL) == {0, 1}
    assert lost({3}, {0: receive(1), 1: barrier(0, 2)}, ALL) == {0, 1}


def test_two_ends_of_an_exchange_may_be_at_it_for_long() -> None:
    for two in (
        {0: send(1), 1: receive(0)},
        {0: send(1), 1: ANY},
        {0: UNKNOWN, 1: receive(0)},
        {0: UNKNOWN, 1: UNKNOWN},
        {0: barrier(1, name="Allreduce"), 1: barrier(0, name="Allreduce")},
    ):
        assert lost({2, 3}, two, ALL) == set(), two
    assert lost({2, 3}, {0: barrier(1, name="Allreduce"), 1: barrier(0, name="Barrier")}, ALL) == {0, 1}
