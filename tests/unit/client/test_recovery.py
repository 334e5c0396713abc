"""The flag `recovery`: calls, those that leave together, maps with and without chunks, and what is told when it fails too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpikernel.client.balanced import LoadBalancedView
from mpikernel.client.client import Client
from mpikernel.client.here import close_port, open_port
from mpikernel.errors import CompositeError, UsageError, remote_text
from mpikernel.ledger.records import ERROR, OK
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import Note, Submit, SubmitBatch, SubmitFunction
from mpikernel.wire.terms import Terms


@pytest.fixture
def world() -> Iterator[LoopbackWorld]:
    world = LoopbackWorld(engines=2)
    open_port(world.port)
    with world.working():
        yield world
    close_port()


@pytest.fixture
def view(world: LoopbackWorld) -> LoadBalancedView:
    view = Client().load_balanced_view()
    view.recovery = mend
    return view


def refuse_odd(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


def mend(number: int) -> str:
    return f"mended {number}"


def fail_too(number: int) -> str:
    raise KeyError(number)


def sent_to_tasks(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    messages: list[object] = []
    send = world.port.loop.out.send

    def remember(rank: int, message: object, *rest: object, **more: object) -> None:
        messages.append(message)
        send(rank, message, *rest, **more)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(world.port.loop.out, "send", remember)
    return messages


def test_what_it_returns_is_the_result(view: LoadBalancedView) -> None:
    assert [view.apply_sync(refuse_odd, number) for number in (2, 3)] == [2, "mended 3"]
    assert view.apply_sync(refuse_odd, number=5) == "mended 5"


def test_calls_that_leave_together(view: LoadBalancedView, world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = sent_to_tasks(world, monkeypatch)
    world.port.loop.guest = None  # nothing runs before all have been made
    results = [view.apply_async(refuse_odd, number) for number in range(6)]
    world.run()
    assert [result.get() for result in results] == [0, "mended 1", 2, "mended 3", 4, "mended 5"]
    assert [type(message) for message in messages if not isinstance(message, Note)] == [SubmitFunction, Submit, SubmitBatch]
    world.pass_time(1.0)
    assert {record.task: (record.status, record.attempt) for _, record in world.ledger.records()} == {
        number: (OK, 1 + number % 2) for number in range(6)
    }


def test_calls_with_another_recovery_leave_apart(view: LoadBalancedView) -> None:
    results = [view.apply_async(refuse_odd, 1), view.apply_async(refuse_odd, 3)]
    view.recovery = abs
    results += [view.apply_async(refuse_odd, -5), view.apply_async(refuse_odd, -7)]
    view.recovery = None
    results += [view.apply_async(refuse_odd, 9)]
    assert [result.get() for result in results[:4]] == ["mended 1", "mended 3", 5, 7]
    with pytest.raises(ValueError, match="9 is odd"):
        results[4].get()


@pytest.mark.parametrize("chunksize", [1, 4, None])
def test_of_a_map_it_is_called_for_the_items_that_failed(view: LoadBalancedView, chunksize: int | None) -> None:
    assert view.map_sync(refuse_odd, range(7), chunksize=chunksize) == [0, "mended 1", 2, "mended 3", 4, "mended 5", 6]
    assert list(view.imap(refuse_odd, range(3), chunksize=chunksize)) == [0, "mended 1", 2]


def test_tasks_that_wait_for_others_have_it_too(view: LoadBalancedView) -> None:
    view.after = view.apply_async(abs, 1)
    assert view.apply_sync(refuse_odd, 3) == "mended 3"
    assert view.map_sync(refuse_odd, [3, 4], chunksize=2) == ["mended 3", 4]


def test_its_error_comes_after_the_first(view: LoadBalancedView, world: LoopbackWorld) -> None:
    view.set_flags(recovery=fail_too, retries=1)
    with pytest.raises(KeyError, match="3") as caught:
        view.apply_sync(refuse_odd, 3)
    first = caught.value.__context__
    assert isinstance(first, ValueError)
    assert str(first) == "3 is odd"
    assert "fail_too" in remote_text(caught.value)
    assert "refuse_odd" in remote_text(first)
    cause = caught.value.__cause__
    assert cause is not None
    assert cause.__context__ is first  # or Python would not show it
    world.pass_time(1.0)
    [(_, record)] = world.ledger.records()
    assert (record.status, record.attempt) == (ERROR, 3)
    assert record.error == "KeyError: 3 (in the recovery from ValueError: 3 is odd)"


@pytest.mark.parametrize("chunksize", [1, 2, 7])
def test_of_a_map_each_failed_item_tells_both(view: LoadBalancedView, chunksize: int) -> None:
    view.recovery = fail_too
    with pytest.raises(CompositeError) as caught:
        view.map_sync(refuse_odd, range(7), chunksize=chunksize)
    assert [str(error) for error in caught.value.exceptions] == ["1", "3", "5"]
    assert [str(error.__context__) for error in caught.value.exceptions] == ["1 is odd", "3 is odd", "5 is odd"]


def test_functions_that_crowd_each_other_out_are_sent_again(view: LoadBalancedView, world: LoopbackWorld) -> None:
    huge = b"x" * (40 << 20)  # two such are more than both ends remember

    def with_ballast(number: int, ballast: bytes = huge) -> int:
        return refuse_odd(number) + len(ballast) * 0

    def mend_with_ballast(number: int, ballast: bytes = huge[1:]) -> str:
        return mend(number)

    view.recovery = mend_with_ballast
    assert [view.apply_sync(with_ballast, number) for number in (1, 3, 4)] == ["mended 1", "mended 3", 4]
    assert view.map_sync(with_ballast, range(3), chunksize=1) == [0, "mended 1", 2]


@pytest.mark.parametrize("bad", [5, "mend", b"", [abs]])
def test_what_cannot_be_called_is_refused(view: LoadBalancedView, bad: object) -> None:
    with pytest.raises(UsageError, match=r"recovery=.* cannot be called"):
        view.set_flags(retries=3, recovery=bad)
    assert (view.recovery, view.retries) == (mend, 0)


def test_terms_without_it_are_as_short_as_ever(view: LoadBalancedView) -> None:
    view.recovery = None
    assert view._terms == Terms()
