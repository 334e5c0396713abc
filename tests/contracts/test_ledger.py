"""The ledger's promise, over every ledger there is: the checks that ship, and a random walk with crashes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mpikernel.ledger.lmdb import open_ledger, read_ledger
from mpikernel.ledger.memory import MemoryLedger
from mpikernel.ledger.promise import Ledger, LedgerReader
from mpikernel.ledger.records import STATUSES, Record
from mpikernel.testing.ledger import CHECKS, RUN, Reopen, check_ledger, contents, record


class InMemory:
    """Ledgers whose disk is a dict."""

    def make(self) -> MemoryLedger:
        return MemoryLedger()

    def reopen(self, ledger: Ledger) -> MemoryLedger:
        assert isinstance(ledger, MemoryLedger)
        return MemoryLedger(dict(ledger.rows))

    revive = reopen

    def remove(self) -> None:
        """Nothing to remove."""


class OnDisk:
    """Ledgers in folders of their own. What is on the disk at a moment is a copy of the data made at that moment."""

    def __init__(self) -> None:
        self._root = Path(mkdtemp(prefix="ledgers-"))
        self._homes: dict[int, Path] = {}

    def make(self) -> Ledger:
        return self._opened(self._new_folder())

    def reopen(self, ledger: Ledger) -> LedgerReader:
        return read_ledger(self._copied(ledger))

    def revive(self, ledger: Ledger) -> Ledger:
        return self._opened(self._copied(ledger))

    def remove(self) -> None:
        shutil.rmtree(self._root)

    def _new_folder(self) -> Path:
        return Path(mkdtemp(dir=self._root))

    def _opened(self, folder: Path) -> Ledger:
        ledger = open_ledger(folder)
        self._homes[id(ledger)] = folder
        return ledger

    def _copied(self, ledger: Ledger) -> Path:
        folder = self._new_folder()
        shutil.copy(self._homes[id(ledger)] / "data.mdb", folder)
        return folder


PLACES: list[Callable[[], InMemory | OnDisk]] = [InMemory, OnDisk]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise(where: Callable[[], InMemory | OnDisk], check: Callable[[Ledger, Reopen], None]) -> None:
    place = where()
    ledger = place.make()
    try:
        check(ledger, place.reopen)
    finally:
        ledger.close()
        place.remove()


def test_check_ledger_runs_every_check_over_a_ledger_of_its_own() -> None:
    place, made = InMemory(), []

    def make() -> Ledger:
        made.append(place.make())
        return made[-1]

    check_ledger(make, place.reopen)
    assert len(made) == len(CHECKS)


def test_check_ledger_finds_a_ledger_that_forgets() -> None:
    class Forgetful(MemoryLedger):
        def commit(self) -> None:
            self._pending.clear()

    with pytest.raises(AssertionError):
        check_ledger(Forgetful, InMemory().reopen)


class LedgerMachine(RuleBasedStateMachine):
    """Compares a ledger with two dicts, what is committed and what is written, through writes, commits, ends and crashes."""

    place: InMemory | OnDisk

    def __init__(self) -> None:
        super().__init__()
        self.place = self.new_place()
        self.ledger: Ledger = self.place.make()
        self.committed: dict[tuple[int, int], Record] = {}
        self.written: dict[tuple[int, int], Record] = {}
        self.exit_codes: list[int] = []  # of every run, -1 while it is open
        self.open = False

    @staticmethod
    def new_place() -> InMemory | OnDisk:
        raise AssertionError("a subclass says where")

    @precondition(lambda self: not self.open)
    @rule()
    def begin_run(self) -> None:
        self.exit_codes.append(-1)
        self.open = True
        assert self.ledger.begin_run(RUN) == len(self.exit_codes)

    @precondition(lambda self: self.open)
    @rule(tasks=st.lists(st.integers(0, 9) | st.integers(0, 2**63)), status=st.sampled_from(STATUSES))
    def write(self, tasks: list[int], status: str) -> None:
        self.ledger.write(record(task, status) for task in tasks)
        self.written |= {(len(self.exit_codes), task): record(task, status) for task in tasks}

    @rule()
    def commit(self) -> None:
        self.ledger.commit()
        self.committed = dict(self.written)

    @precondition(lambda self: self.open)
    @rule(run=st.integers(1, 3), tasks=st.sets(st.integers(0, 9), max_size=5))
    def remove(self, run: int, tasks: set[int]) -> None:
        gone = self.written.keys() & {(run, task) for task in tasks}
        assert self.ledger.remove(run, tasks) == len(gone)
        self.written = {key: each for key, each in self.written.items() if key not in gone}
        self.committed = dict(self.written)

    @precondition(lambda self: self.open)
    @rule(exit_code=st.integers(0, 255))
    def end_run(self, exit_code: int) -> None:
        self.ledger.end_run(exit_code, 5.0)
        self.exit_codes[-1] = exit_code
        self.committed = dict(self.written)
        self.open = False

    @rule()
    def crash_and_replay(self) -> None:
        """What was committed is there, of the rest perhaps some; the next run writes again what was lost."""
        survivor = self.place.revive(self.ledger)
        self.ledger.close()
        self.ledger, self.open = survivor, False
        found = contents(survivor)
        assert found.keys() >= self.committed.keys()
        assert all(each in (self.committed.get(key), self.written[key]) for key, each in found.items())
        lost = [each for key, each in self.written.items() if found.get(key) != each]
        self.committed, self.written = dict(found), dict(found)
        if lost:
            self.begin_run()
            survivor.write(lost)
            self.written |= {(len(self.exit_codes), each.task): each for each in lost}

    @invariant()
    def reads_what_was_written(self) -> None:
        assert contents(self.ledger) == self.written
        assert list(contents(self.ledger)) == sorted(self.written)

    @invariant()
    def knows_its_runs(self) -> None:
        assert [run.exit_code for run in self.ledger.runs()] == self.exit_codes
        assert self.ledger.live() == self.open

    def teardown(self) -> None:
        self.ledger.close()
        self.place.remove()


class MemoryMachine(LedgerMachine):
    new_place = InMemory


class DiskMachine(LedgerMachine):
    new_place = OnDisk


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=50, deadline=None)
TestDiskMachine = DiskMachine.TestCase
TestDiskMachine.settings = settings(max_examples=20, deadline=None)
