"""Flags of load-balanced views, and what becomes of them in what is sent: terms, and needs of other tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel import Client, LoadBalancedView
from mpikernel.client.needs import Dependency, Needed, gaps, joined
from mpikernel.errors import ImpossibleDependency, UsageError
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import Submit, SubmitBatch
from mpikernel.wire.terms import PLAIN, Needs, Terms


def inverse(x: float) -> float:
    return 1 / x


@pytest.fixture
def view(world: LoopbackWorld) -> LoadBalancedView:
    return Client().load_balanced_view()


@pytest.fixture
def sent(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> list[Terms]:
    """The terms of what is submitted from now on. It goes nowhere else."""
    terms: list[Terms] = []
    out = world.port.loop.out

    def keep(rank: int, message: Any, *rest: Any) -> None:
        assert isinstance(message, Submit | SubmitBatch)
        terms.append(message.terms)

    monkeypatch.setattr(out, "send", keep)
    return terms


def run(world: LoopbackWorld, view: LoadBalancedView, arguments: Sequence[float]) -> list[Any]:
    """A result for each argument, all of them done."""
    results = [view.apply_async(inverse, argument) for argument in arguments]
    world.run()
    return results


# flags --------------------------------------------------------------------------------------------------------------------


def test_nobody_says_anything(view: LoadBalancedView, sent: list[Terms]) -> None:
    view.apply_async(inverse, 1)
    assert sent == [PLAIN]
    assert (view.retries, view.priority, view.timeout, view.queue_timeout, view.label, view.after, view.follow) == (0, 0, *[None] * 5)


def test_flags_are_sent(view: LoadBalancedView, sent: list[Terms]) -> None:
    view.set_flags(retries=2, priority=-3, timeout=1, queue_timeout=0.5, targets=[1])
    view.apply_async(inverse, 1)
    view.map_async(inverse, [1, 2], chunksize=1)
    assert sent == [Terms((1,), 2, -3, 1.0, 0.5)] * 2


def test_flags_for_a_while(view: LoadBalancedView, sent: list[Terms]) -> None:
    view.priority = 1
    with view.temp_flags(priority=9, timeout=3.0):
        view.apply_async(inverse, 1)
    view.apply_async(inverse, 1)
    view.client.port.nudge()
    assert sent == [Terms(priority=9, timeout=3.0), Terms(priority=1)]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"priority": 1.5}, "priority=1.5 is not a priority"),
        ({"priority": True}, "priority=True is not a priority"),
        ({"retries": -1}, "retries=-1 is not a number of retries"),
        ({"timeout": 0}, "timeout=0 is not a limit of time"),
        ({"timeout": float("inf")}, "timeout=inf is not a limit of time"),
        ({"queue_timeout": "1"}, "queue_timeout='1' is not a limit of time"),
        ({"label": 3}, "label=3 is no name"),
        ({"label": " "}, "label=' ' is no name"),
        ({"after": 1.5}, "1.5 names no task: give an AsyncResult"),
        ({"follow": [-1]}, "-1 names no task"),
        ({"follow": "all"}, "'all' names no task"),
        ({"nonsense": 1}, "there is no flag 'nonsense'"),
    ],
)
def test_what_a_flag_cannot_be_changes_none(view: LoadBalancedView, flags: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        view.set_flags(**{"stream": True, "block": True, "priority": 7} | flags)
    assert (view.stream, view.block, view.priority) == (False, False, 0)
    with pytest.raises(UsageError, match=words), view.temp_flags(**flags):
        pytest.fail("it should not have come so far")


def test_a_label_stands_for_the_functions_name(world: LoopbackWorld, view: LoadBalancedView) -> None:
    view.label = "trial 7"
    single, several = view.apply_async(inverse, 0), view.map_async(inverse, [1])
    world.run()
    world.pass_time(1.0)
    assert [record.label for _, record in world.ledger.records()] == ["trial 7", "trial 7"]
    assert "trial 7" in repr(single) + repr(several)


# needs ---------------------------------------------------------------------------------------------------------------------


def needs_of(view: LoadBalancedView, sent: list[Terms], dependency: Any) -> Needs | None:
    """What is said of other tasks by a call that is to be made after them."""
    with view.temp_flags(after=dependency):
        view.apply_async(inverse, 1)
    return sent[-1].after


def test_tasks_that_have_not_ended_are_open(view: LoadBalancedView, world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [view.apply_async(inverse, x) for x in (1, 2, 4)]
    mapped = view.map_async(inverse, range(1, 6))
    terms: list[Terms] = []
    monkeypatch.setattr(world.port.loop.out, "send", lambda rank, message, *rest: terms.append(message.terms))
    assert needs_of(view, terms, results[1]) == Needs(((1, 1),), True, True, False, False, "", ())
    assert needs_of(view, terms, [results[0], 1, results[2]]) == Needs(((0, 3),), True, True, False, False, "", ())
    assert needs_of(view, terms, [mapped, 0]) == Needs(((0, 1), (3, 5)), True, True, False, False, "", ())
    assert needs_of(view, terms, mapped.msg_ids[2]) == Needs(((5, 1),), True, True, False, False, "", ())
    any_of = Dependency([results[0], 7], all=False, success=False, failure=True)
    assert needs_of(view, terms, any_of) == Needs(((0, 1), (7, 1)), False, False, True, False, "", ())


def test_what_has_ended_is_told(view: LoadBalancedView, world: LoopbackWorld, request: pytest.FixtureRequest) -> None:
    good, bad = run(world, view, [1, 0])
    mapped = view.map_async(inverse, [1, 0, 2], chunksize=1)
    world.run()
    sent = request.getfixturevalue("sent")
    engines = tuple(sorted({call.engine for call in mapped.calls if not call.failed}))
    failed = "task 1 (inverse) failed: ZeroDivisionError: division by zero"
    assert needs_of(view, sent, good) == Needs((), True, True, False, True, "", (good.metadata.engine_id,))
    assert needs_of(view, sent, [bad, good]) == Needs((), True, True, False, True, failed, (good.metadata.engine_id,))
    assert needs_of(view, sent, mapped) == Needs((), True, True, False, True, failed.replace("1", "3"), engines)
    assert needs_of(view, sent, 3) == Needs((), True, True, False, False, failed.replace("1", "3"), ())
    only_failed = needs_of(view, sent, Dependency([good, bad], success=False, failure=True))
    assert only_failed is not None
    assert (only_failed.met, only_failed.unmet) == (True, "task 0 (inverse) ended well")


def test_what_ends_later_is_told_then(view: LoadBalancedView, world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    view.after = view.apply_async(inverse, 1)
    terms: list[Terms] = []
    out = world.port.loop.out
    send = out.send
    with monkeypatch.context() as patched:
        patched.setattr(out, "send", lambda rank, message, *rest: terms.append(message.terms))
        view.apply_async(inverse, 1)
        patched.setattr(out, "send", send)
        world.run()
        patched.setattr(out, "send", lambda rank, message, *rest: terms.append(message.terms))
        view.apply_async(inverse, 1)
    assert [(term.after.open, term.after.met) for term in terms if term.after is not None] == [(((0, 1),), False), ((), True)]


def test_nothing_is_waited_for(view: LoadBalancedView, sent: list[Terms]) -> None:
    assert needs_of(view, sent, []) is None
    assert needs_of(view, sent, None) is None


def test_follow_is_a_flag_of_its_own(view: LoadBalancedView, world: LoopbackWorld, request: pytest.FixtureRequest) -> None:
    (good,) = run(world, view, [1])
    sent = request.getfixturevalue("sent")
    with view.temp_flags(follow=good):
        view.map_async(inverse, [1, 2], chunksize=1)
        assert view.follow == {good}
    assert sent[0].after is None
    assert sent[0].follow == Needs((), True, True, False, True, "", (good.metadata.engine_id,))


def test_ids_of_results_that_were_let_go_of_are_in_the_ledger(view: LoadBalancedView, world: LoopbackWorld) -> None:
    run(world, view, [1, 0])
    world.pass_time(1.0)
    with world.working():
        view.after = Dependency([0, 1], all=False)
        with pytest.raises(UsageError, match="there is no task 99 in this run that could be waited for"):
            view.follow = [0, 99]
    assert view.follow is None


def numbers(end: int, error: Exception | None = None) -> Iterator[int]:
    yield from range(1, end)
    if error is not None:
        raise error


def test_a_map_is_read_to_its_end_before_anything_comes_after_it(view: LoadBalancedView, world: LoopbackWorld) -> None:
    mapped = view.map_async(inverse, numbers(60), chunksize=1, buffersize=10)
    view.after = mapped
    with world.working():
        last = view.apply_async(inverse, 4)
        assert len(mapped.msg_ids) == 59
        assert last.get() == 0.25
    assert last.metadata.started >= max(row.completed for row in mapped.metadata)


def test_nothing_comes_after_a_map_that_is_not_whole(view: LoadBalancedView, world: LoopbackWorld) -> None:
    mapped = view.map_async(inverse, numbers(60, OSError("the disk is gone")), chunksize=1, buffersize=10)
    with world.working():
        view.after = mapped
        with pytest.raises(ImpossibleDependency, match="the map of tasks 0 to 58 is not whole: OSError: the disk is gone"):
            view.apply_sync(inverse, 4)
        view.after = Dependency(mapped, success=False, failure=True, all=False)
        assert view.apply_sync(inverse, 4) == 0.25


# values that are taken one after the other ---------------------------------------------------------------------------------


def test_what_comes_after_values_that_were_taken_does_not_wait_for_them(view: LoadBalancedView, world: LoopbackWorld) -> None:
    with world.working():
        values = view.imap(inverse, [1, 2, 4, 0, 5], chunksize=1, return_exceptions=True)
        taken = [next(values) for _ in range(4)]
        assert taken[:3] == [1.0, 0.5, 0.25]
        world.pass_time(1.0)  # the ledger has them
        with view.temp_flags(after=[0, 2]):
            assert view.apply_async(inverse, 8).get(10) == 0.125
        with view.temp_flags(after=3), pytest.raises(ImpossibleDependency, match=r"task 3 \(inverse\) failed: ZeroDivisionError"):
            view.apply_async(inverse, 8).get(10)
        assert next(values) == 0.2


def test_values_may_be_taken_when_something_comes_after_them_already(view: LoadBalancedView, world: LoopbackWorld) -> None:
    with world.working():
        values = view.imap(inverse, [1, 2, 0, 4], chunksize=1, return_exceptions=True)
        assert next(values) == 1.0
        needed = Needed(world.port, Dependency([1, 2], success=True, failure=True))
        last = Needed(world.port, Dependency(3))
        assert len(list(values)) == 3
    for each in (needed, last):
        needs = each.needs()
        assert needs is not None
        assert (needs.open, needs.met, needs.unmet) == ((), True, "")


def test_those_of_a_whole_map_too(view: LoadBalancedView, world: LoopbackWorld) -> None:
    with world.working():
        values = view.imap(inverse, [1, 2, 4], chunksize=1)
        assert next(values) == 1.0
        world.pass_time(1.0)
        needed = Needed(world.port, Dependency(Client().get_result(0)))
        assert list(values) == [0.5, 0.25]
    needs = needed.needs()
    assert needs is not None
    assert (needs.open, needs.met, needs.unmet) == ((), True, "")


def client_view() -> LoadBalancedView:
    return Client().load_balanced_view()


def test_nobody_waits_for_a_map_that_is_read_only_as_its_values_are_taken(view: LoadBalancedView, world: LoopbackWorld) -> None:
    with world.working():
        values = view.imap(inverse, range(1, 2000), chunksize=1, max_outstanding=4)
        assert next(values) == 1.0
        mapped = Client().get_result(0)
        with pytest.raises(UsageError, match="goes on only as its values are taken: take them all first, or make it with map_async"):
            view.after = mapped
        assert view.after is None


def test_a_map_whose_values_have_been_taken_has_ended_all_the_same(view: LoadBalancedView, world: LoopbackWorld) -> None:
    with world.working():
        values = view.imap(inverse, range(1, 40), chunksize=1, max_outstanding=50)
        taken = [next(values) for _ in range(30)]
        world.pass_time(1.0)
        mapped = Client().get_result(0)
        later = client_view()
        later.after = mapped
        assert later.apply_async(inverse, 8).get(10) == 0.125
        taken += values
        assert taken == [1 / x for x in range(1, 40)]
        assert later.apply_async(inverse, 8).get(10) == 0.125
        world.pass_time(1.0)
        later.after = mapped
        assert later.apply_async(inverse, 8).get(10) == 0.125


def test_of_such_a_map_what_failed_is_told_too(view: LoadBalancedView, world: LoopbackWorld) -> None:
    with world.working():
        values = view.imap(inverse, [1, 0, 2], chunksize=1, return_exceptions=True)
        first, second = next(values), next(values)
        assert (first, type(second)) == (1.0, ZeroDivisionError)
        world.pass_time(1.0)
        mapped = Client().get_result(0)
        view.after = mapped
        with pytest.raises(ImpossibleDependency, match=r"task 1 \(inverse\) failed: ZeroDivisionError"):
            view.apply_async(inverse, 8).get(10)


def test_only_tasks_can_be_waited_for(view: LoadBalancedView, world: LoopbackWorld) -> None:
    direct = Client()[:].apply_async(inverse, 1)
    for each in (direct, direct.msg_ids[1]):
        with pytest.raises(UsageError, match=r"\(inverse\) is one of a direct view, and only tasks can be waited for by tasks"):
            view.after = each
    world.run()
    with pytest.raises(UsageError, match="wait for it in the script"):
        view.after = direct


def test_only_what_names_tasks_is_a_dependency(view: LoadBalancedView, world: LoopbackWorld) -> None:
    values = iter([0, 1])
    for wrong in (values, view.imap(abs, [-1, -2]), {0: 1}, "0", b"0"):
        with pytest.raises(UsageError, match="names no task: give an AsyncResult, the id of a task, a list of these, or a Dependency"):
            view.after = wrong
        with pytest.raises(UsageError, match="names no task"):
            Dependency(wrong)
    assert view.after is None
    assert list(values) == [0, 1]


def test_an_array_of_ids_is_a_dependency(view: LoadBalancedView, world: LoopbackWorld) -> None:
    first = view.apply_async(abs, -1)
    view.after = numpy.array(first.msg_ids)
    assert view.after == set(first.msg_ids)


@pytest.mark.parametrize("flag", ["all", "success", "failure"])
def test_flags_of_dependencies_are_true_or_false(flag: str) -> None:
    flags: dict[str, Any] = {flag: "no"}
    with pytest.raises(UsageError, match=f"{flag}='no' is neither True nor False"):
        Dependency([], **flags)
    flags[flag] = numpy.True_
    assert getattr(Dependency([], **flags), flag) is True


def test_a_dependency_that_cannot_be_met() -> None:
    with pytest.raises(UsageError, match="success=False and failure=False cannot be met"):
        Dependency([1], success=False)


def test_how_a_dependency_looks() -> None:
    assert repr(Dependency(3, all=False)) == "Dependency([3], all=False, success=True, failure=False)"
    assert Dependency([3, 3, 4]) == {3, 4}


# ranges --------------------------------------------------------------------------------------------------------------------

ranges = st.lists(st.builds(lambda start, count: range(start, start + count), st.integers(0, 60), st.integers(1, 9)))


@given(ranges)
def test_joined_ranges_have_the_same_numbers(found: list[range]) -> None:
    told = joined(found)
    assert sorted({number for each in found for number in each}) == [n for first, count in told for n in range(first, first + count)]
    assert all(first + count < following for (first, count), (following, _) in pairwise(told))


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_what_is_left_between_pieces(numbers: set[int], taken: set[int]) -> None:
    rows = [range(first, first + count) for first, count in joined(range(n, n + 1) for n in numbers)]
    pieces = [range(n, n + 1) for n in taken & numbers]
    assert [n for each in gaps(rows, pieces) for n in each] == sorted(numbers - taken)
