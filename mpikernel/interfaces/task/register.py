"""Who has which tasks, found by a task's number however many there are. Each has consecutive ones, and no two the same.

It is kept in blocks of numbers, so a thousand tasks that are together cost a few entries, and who looks for one looks at few.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

#: Of the size of a block: large batches are entered in few of them, and in none there are many small ones to look at.
BITS = 6

Holder = TypeVar("Holder")


class Register(Generic[Holder]):
    """Holders by the tasks that they have. What a holder has, of the numbers that it was entered with, it knows itself."""

    def __init__(self) -> None:
        self._single: dict[int, Holder] = {}  # those that have one task
        self._blocks: dict[int, set[Holder]] = {}  # those that have several; none of them empty

    def enter_single(self, number: int, holder: Holder) -> None:
        """Somebody has this task now."""
        self._single[number] = holder

    def strike_single(self, number: int) -> None:
        """Who was entered with this task alone has it no more."""
        del self._single[number]

    def enter(self, numbers: range, holder: Holder) -> None:
        """Somebody has these tasks now."""
        if len(numbers) == 1:
            self._single[numbers.start] = holder
            return
        for block in _blocks(numbers):
            self._blocks.setdefault(block, set()).add(holder)

    def strike(self, numbers: range, holder: Holder) -> None:
        """Somebody who was entered with these numbers has none of them now."""
        if len(numbers) == 1:
            del self._single[numbers.start]
            return
        for block in _blocks(numbers):
            there = self._blocks[block]
            there.remove(holder)
            if not there:
                del self._blocks[block]

    def change(self, before: range, numbers: range, holder: Holder) -> None:
        """Somebody who was entered with some numbers has these of them now, or none."""
        if len(numbers) < 2 or _blocks(before) != _blocks(numbers):
            self.strike(before, holder)
            self.enter(numbers, holder)

    def near(self, number: int) -> Collection[Holder]:
        """A few, of whom one has this task if anybody has."""
        single = self._single.get(number)
        return self._blocks.get(number >> BITS, ()) if single is None else (single,)

    def around(self, numbers: range) -> set[Holder]:
        """Those among whom are all that have some of these tasks."""
        single, blocks = self._single, self._blocks
        found = {single[number] for number in numbers if number in single} if single else set()
        return found.union(*(blocks[block] for block in _blocks(numbers) if block in blocks))

    def check(self, entered: dict[Holder, range]) -> None:
        """What is always true of it, if these are all that have something."""
        expected: Register[Holder] = Register()
        for holder, numbers in entered.items():
            expected.enter(numbers, holder)
        assert self._single == expected._single, "not everybody is found by the task that they have, or some who have none are"
        assert self._blocks == expected._blocks, "not everybody is found by the tasks that they have, or some who have none are"


def _blocks(numbers: range) -> range:
    """Those of which some are in these."""
    return range(numbers.start >> BITS, ((numbers.stop - 1) >> BITS) + 1 if numbers else numbers.start >> BITS)
