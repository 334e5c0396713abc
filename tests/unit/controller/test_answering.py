"""The controller answers questions about the ledger: a page at a time, and errors as answers."""

from __future__ import annotations

from collections.abc import Iterable

from mpikernel.controller.answering import ENOUGH, MOST
from mpikernel.controller.reactor import REACTIONS
from mpikernel.controller.state import ControllerState
from mpikernel.errors import LedgerError
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.codec import decode_call, decode_page, decode_shared
from mpikernel.ledger.memory import MemoryLedger
from mpikernel.ledger.pages import FIRST, LAST, Page
from mpikernel.ledger.records import OK, Position, Record, Run
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.messages import Answer, FetchCalls, FetchShared, Message, Purge, Query
from mpikernel.wire.transport import Arrival

CLIENT = 1


class BrokenLedger(MemoryLedger):
    def page(self, first: Position, last: Position, limit: int) -> Page:
        raise LedgerError("the disk is on fire")

    def remove(self, run: int, tasks: Iterable[int]) -> int:
        raise LedgerError("the disk is full")


class Bench:
    """A controller whose ledger has records of an earlier run and of this one, the last of them not committed."""

    def __init__(self, ledger: MemoryLedger | None = None, count: int = 5) -> None:
        self.ledger = ledger or MemoryLedger()
        for _ in range(2):
            self.ledger.begin_run(Run(0, 1.0))
            self.ledger.write(Record(task, "apply", "f", status=OK) for task in range(count))
            if self.ledger.run == 1:
                self.ledger.end_run(0, 2.0)
        self.state = ControllerState(3, self.ledger, 0.05, 1000, 2.0, script=1)
        self.out = RecordingOutbox()

    def ask(self, message: Message) -> tuple[Answer, list[tuple[int, int]]]:
        REACTIONS[type(message)](self.state, self.out, Arrival(CLIENT, message, ()), 3.0)
        [(answer, frames, *_)] = self.out.take(CLIENT)
        self.out.assert_silent()
        assert isinstance(answer, Answer)
        return answer, [(run, record.task) for frame in frames for run, record in decode_page(frame)]


def test_a_query_is_answered_with_one_page() -> None:
    bench = Bench()
    answer, found = bench.ask(Query(7, (1, 3), LAST, 4))
    assert answer == Answer(7, 2, (2, 2), 0, "")
    assert found == [(1, 3), (1, 4), (2, 0), (2, 1)]
    answer, found = bench.ask(Query(8, (2, 2), LAST, 4))
    assert (answer.following, found) == (None, [(2, 2), (2, 3), (2, 4)])


def test_nobody_gets_more_than_is_done_in_a_moment() -> None:
    bench = Bench(count=MOST)
    for limit, count in ((10 * MOST, MOST), (0, 1), (-5, 1)):
        assert len(bench.ask(Query(0, FIRST, LAST, limit))[1]) == count


def test_a_purge_removes_records_for_good() -> None:
    bench = Bench()
    answer, _ = bench.ask(Purge(9, 1, (0, 1, 77)))
    assert answer == Answer(9, 2, None, 2, "")
    assert bench.ask(Query(1, FIRST, (1, 99), 10))[1] == [(1, 2), (1, 3), (1, 4)]
    assert bench.ledger.pending == 0


def test_what_tasks_call_is_sent_as_far_as_it_is_not_too_much() -> None:
    bench = Bench(count=9)
    for task in range(9):
        bench.ledger.keep(KeptCall(task, 1, b"f", "f", b"", parts=1), [b"x" * (ENOUGH // 3)])
    fetch = FetchCalls(4, 2, tuple(range(9)))
    REACTIONS[FetchCalls](bench.state, bench.out, Arrival(CLIENT, fetch, ()), 3.0)
    [(answer, frames, *_)] = bench.out.take(CLIENT)
    assert answer == Answer(4, 2, (2, 3), 0, "")
    assert [decode_call(frame)[0].first for frame in frames] == [0, 1, 2]


def test_what_calls_share_is_sent_if_it_is_there() -> None:
    bench = Bench()
    bench.ledger.keep(KeptShared(b"f", 4, 1), [b"code"])
    for name, found in ((b"f", [b"code"]), (b"g", None)):
        REACTIONS[FetchShared](bench.state, bench.out, Arrival(CLIENT, FetchShared(5, 2, name), ()), 3.0)
        [(answer, frames, *_)] = bench.out.take(CLIENT)
        assert answer == Answer(5, 2, None, 0, "")
        assert [decode_shared(frame)[1] for frame in frames] == ([found] if found else [])


def test_what_is_wrong_with_the_ledger_is_an_answer() -> None:
    bench = Bench(BrokenLedger())
    assert bench.ask(Query(1, FIRST, LAST, 1))[0] == Answer(1, 0, None, 0, "the disk is on fire")
    assert bench.ask(Purge(2, 1, (1,)))[0] == Answer(2, 0, None, 0, "the disk is full")


def test_when_the_run_is_closed_nobody_is_answered_any_more() -> None:
    bench = Bench()
    bench.state.left = True
    REACTIONS[Query](bench.state, bench.out, Arrival(CLIENT, Query(1, FIRST, LAST, 1), ()), 3.0)
    bench.out.assert_silent()
