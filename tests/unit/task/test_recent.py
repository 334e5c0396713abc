"""What has ended well lately is remembered, and not much of it."""

from __future__ import annotations

from mpikernel.interfaces.task.entries import Task
from mpikernel.interfaces.task.recent import HEAVIEST, MOST, Recent
from mpikernel.wire.messages import Submit
from mpikernel.wire.terms import PLAIN


def task(number: int) -> Task:
    return Task(Submit(number, b"f", 0, "f", 5.0, False, PLAIN, 0), 1, (), (), (), ())


def test_the_latest_are_remembered_once() -> None:
    recent = Recent()
    for number in range(MOST + 3):
        recent.put(task(number), 10)
    assert sorted(recent.take_all()) == list(range(3, MOST + 3))
    assert recent.take_all() == {}


def test_of_what_is_large_fewer_are() -> None:
    recent = Recent()
    for number in range(3):
        recent.put(task(number), HEAVIEST // 2 + 1)
    assert sorted(recent.take_all()) == [2]
    recent.put(task(4), 2 * HEAVIEST)
    assert sorted(recent.take_all()) == [4], "the last one always is"
