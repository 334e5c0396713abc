"""The promise of a ledger, told as checks that hold for every ledger there is.

Each check gets a fresh ledger and reads back through another door: what a process would find that looks at it now, as if the writer
had died at this moment. A ledger may keep more than it promised before a commit, never less than it promised after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mpikernel.errors import LedgerError
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.codec import decode_call, decode_page, decode_shared
from mpikernel.ledger.pages import FIRST, LAST
from mpikernel.ledger.promise import Ledger, LedgerReader
from mpikernel.ledger.records import ABORTED, ERROR, OK, Position, Record, Run

Make = Callable[[], Ledger]
Reopen = Callable[[Ledger], LedgerReader]

RUN = Run(number=77, started=1.5, program="script.py", argv=("-n", "3"), size=4, engines=2, hosts=("a", "b"), mpi="Some MPI 1.0")


def check_ledger(make: Make, reopen: Reopen) -> None:
    """Run every check. `make` gives an empty ledger; `reopen` shows what is durable of it, without closing it first."""
    for check in CHECKS:
        ledger = make()
        try:
            check(ledger, reopen)
        finally:
            ledger.close()


def record(task: int, status: str = "submitted") -> Record:
    """A record of which every field is told by its task, but for the status."""
    return Record(task, "apply", f"f{task}", task % 5, task % 7, f"host{task % 3}", task + 0.25, task + 0.5, task + 0.75, status)


def call(first: int, count: int = 1) -> KeptCall:
    """What some tasks call, of which every field is told by them."""
    return KeptCall(first, count, b"f%d" % first, f"f{first}", b"terms", first % 2 == 0, b"\1" * 4 * count, 10 * count, 1)


def contents(reader: LedgerReader, run: int | None = None) -> dict[tuple[int, int], Record]:
    """{(run, task): record} in the order in which they are read, each of them once."""
    rows = [((number, found.task), found) for number, found in reader.records(run)]
    assert len(rows) == len(dict(rows)), "a record was read twice"
    return dict(rows)


def runs_are_numbered_from_one(ledger: Ledger, reopen: Reopen) -> None:
    assert ledger.runs() == []
    assert [_whole_run(ledger) for _ in range(3)] == [1, 2, 3]
    assert [run.number for run in ledger.runs()] == [1, 2, 3]
    assert _runs(reopen(ledger)) == ledger.runs()


def a_run_is_durable_when_it_has_begun(ledger: Ledger, reopen: Reopen) -> None:
    number = ledger.begin_run(RUN)
    [found] = _runs(reopen(ledger))
    assert (found.number, found.started, found.ended, found.exit_code) == (number, 1.5, 0.0, -1)
    assert (found.program, found.argv, found.size, found.engines) == ("script.py", ("-n", "3"), 4, 2)
    assert (found.hosts, found.mpi) == (("a", "b"), "Some MPI 1.0")


def the_end_of_a_run_commits_all(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    assert ledger.live()
    ledger.write([record(1), record(2)])
    ledger.end_run(exit_code=3, ended=9.25)
    assert not ledger.live()
    assert ledger.pending == 0
    assert _contents(reopen(ledger)) == {(1, 1): record(1), (1, 2): record(2)}
    [found] = _runs(reopen(ledger))
    assert (found.exit_code, found.ended, found.program) == (3, 9.25, "script.py")


def what_is_written_is_seen_at_once(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    ledger.write(record(task) for task in range(10))
    assert ledger.pending == 10
    assert list(contents(ledger)) == [(1, task) for task in range(10)]
    assert _contents(reopen(ledger)).items() <= contents(ledger).items()


def what_is_committed_is_durable(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    ledger.write(record(task) for task in range(10))
    ledger.commit()
    committed = contents(ledger)
    assert ledger.pending == 0
    ledger.write([record(10)])
    found = _contents(reopen(ledger))
    assert committed.items() <= found.items() <= contents(ledger).items()


def a_commit_of_nothing_changes_nothing(ledger: Ledger, reopen: Reopen) -> None:
    ledger.commit()
    ledger.begin_run(RUN)
    ledger.commit()
    ledger.write([])
    ledger.commit()
    assert _contents(reopen(ledger)) == {}
    assert len(_runs(reopen(ledger))) == 1


def the_last_record_of_a_task_counts(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    ledger.write([record(1), record(2), record(3)])
    ledger.write([record(1, ABORTED)])
    assert ledger.pending == 3
    ledger.commit()
    ledger.write([record(2, ERROR)])
    assert contents(ledger)[1, 2].status == ERROR
    ledger.commit()
    assert _contents(reopen(ledger)) == {(1, 1): record(1, ABORTED), (1, 2): record(2, ERROR), (1, 3): record(3)}


def records_come_in_order_of_id(ledger: Ledger, reopen: Reopen) -> None:
    ids = [5, 2**32, 0, 256, 255, 1, 2**62, 70000, 2**32 - 1]
    ledger.begin_run(RUN)
    for task in ids[:6]:
        ledger.write([record(task)])
        ledger.commit()
    ledger.write(map(record, ids[6:]))
    assert [task for _, task in contents(ledger)] == sorted(ids)
    ledger.commit()
    assert [task for _, task in _contents(reopen(ledger))] == sorted(ids)


def runs_keep_their_records_apart(ledger: Ledger, reopen: Reopen) -> None:
    for status in (OK, ERROR, ABORTED):
        _whole_run(ledger, [record(1, status), record(2, status)])
    assert contents(ledger, 2) == {(2, 1): record(1, ERROR), (2, 2): record(2, ERROR)}
    assert contents(ledger, 4) == {}
    assert list(_contents(reopen(ledger))) == [(run, task) for run in (1, 2, 3) for task in (1, 2)]


def any_text_survives(ledger: Ledger, reopen: Reopen) -> None:
    odd = Record(1, "", "naïve \x00 \n 数 \U0001f600", error='E: "no"\ttab', host="x" * 300)
    spoiled = "caf\udce9"  # what Python makes of a file name that is not UTF-8
    ledger.begin_run(Run(0, 1.0, program=spoiled, argv=(spoiled, "数")))
    ledger.write([odd, Record(2, "apply", spoiled)])
    ledger.commit()
    assert _contents(reopen(ledger)) == {(1, 1): odd, (1, 2): Record(2, "apply", "caf\\udce9")}
    assert _runs(reopen(ledger))[0].argv == ("caf\\udce9", "数")


def reading_goes_on_while_more_is_written(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    ledger.write(map(record, range(3000)))
    ledger.commit()
    reading = ledger.records()
    found = [next(reading)[1].task for _ in range(10)]
    ledger.write(map(record, range(3000, 6000)))
    ledger.commit()
    found += [each.task for _, each in reading]
    assert found == list(range(len(found)))
    assert 3000 <= len(found) <= 6000
    assert len(_contents(reopen(ledger))) == 6000


def pages_hold_the_records_once_and_in_order(ledger: Ledger, reopen: Reopen) -> None:
    for tasks in ([3, 1, 2, 2**63], [], [7, 5]):
        _whole_run(ledger, map(record, tasks))
    ledger.begin_run(RUN)
    ledger.write(map(record, range(3)))
    ledger.commit()
    ledger.write([record(1, OK), record(9)])
    whole = list(contents(ledger).items())
    for limit in (1, 2, 3, len(whole) - 1, len(whole), len(whole) + 1):
        pages = _paged(ledger, FIRST, LAST, limit)
        assert [row for page in pages for row in page] == whole
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert pages[-1]
    [inner] = _paged(ledger, (1, 2), (3, 5), 100)
    assert [position for position, _ in inner] == [(1, 2), (1, 3), (1, 2**63), (3, 5)]
    assert _paged(ledger, (2, 0), (2, 99), 5) == [[]]


def what_is_removed_is_gone_for_good(ledger: Ledger, reopen: Reopen) -> None:
    _whole_run(ledger, map(record, range(3)))
    ledger.begin_run(RUN)
    ledger.write(map(record, range(3)))
    ledger.commit()
    ledger.write([record(1, OK), record(7), record(8)])
    assert ledger.run == 2
    assert ledger.remove(2, [1, 7, 99]) == 2
    assert ledger.remove(1, [0]) == 1
    assert ledger.remove(1, [0]) == 0
    left = [(1, 1), (1, 2), (2, 0), (2, 2), (2, 8)]
    assert (list(contents(ledger)), ledger.pending) == (left, 0)
    assert list(_contents(reopen(ledger))) == left
    assert len(_runs(reopen(ledger))) == 2
    ledger.write([record(1, ERROR)])
    assert contents(ledger)[2, 1].status == ERROR


def what_tasks_call_is_found_by_each_of_them(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    for kept in (call(3), call(5, 4), call(300), call(2**40, 2)):
        ledger.keep(kept, [memoryview(b"frame of %d" % kept.first), bytearray(b"\0" * kept.count)])
    for asked, found in (([3], [3]), ([5], [5]), ([6, 8, 7], [5]), ([300, 3, 5], [3, 5, 300]), ([2**40 + 1], [2**40]), ([2**41], [])):
        assert _called(ledger, 1, asked) == found
    assert 9 not in _called(ledger, 1, [9, 10])
    assert _called(ledger, 2, [3]) == []
    ledger.commit()
    reader = reopen(ledger)
    [row] = reader.calls(1, [7])
    assert (row.last, decode_call(row.data)) == (8, (call(5, 4), [b"frame of 5", b"\0\0\0\0"]))
    reader.close()


def what_calls_share_is_kept_by_run(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    ledger.keep(KeptShared(b"digest", 7, 2), [b"code", b"cell"])
    assert ledger.shared(1, b"digest") is not None
    ledger.commit()
    reader = reopen(ledger)
    data = reader.shared(1, b"digest")
    assert data is not None
    assert decode_shared(data) == (KeptShared(b"digest", 7, 2), [b"code", b"cell"])
    assert reader.shared(1, b"diges") is reader.shared(2, b"digest") is None
    reader.close()


def what_tasks_call_goes_with_the_last_of_their_records(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    ledger.write(map(record, (1, 2, 3, 4, 9)))
    for kept in (call(1), call(2, 3), call(9)):
        ledger.keep(kept, [b"frame"])
    ledger.keep(KeptShared(b"f", 1, 1), [b"code"])
    assert ledger.remove(1, [1, 2, 3]) == 3
    assert _called(ledger, 1, [1, 2, 9]) == [2, 9]
    assert ledger.remove(1, [4, 9]) == 2
    assert _called(ledger, 1, range(10)) == []
    assert ledger.shared(1, b"f") is not None
    ledger.end_run(0, 2.5)


def what_calls_share_goes_with_the_last_of_an_earlier_run(ledger: Ledger, reopen: Reopen) -> None:
    for _ in range(2):
        ledger.begin_run(RUN)
        ledger.write([record(1), record(2)])
        ledger.keep(call(1), [b"frame"])
        ledger.keep(call(2), [b"frame"])
        ledger.keep(KeptShared(b"f", 1, 1), [b"code"])
        ledger.end_run(0, 2.5)
    ledger.begin_run(RUN)
    ledger.remove(1, [1])
    assert ledger.shared(1, b"f") is not None
    ledger.remove(1, [2])
    assert ledger.shared(1, b"f") is None
    assert ledger.shared(2, b"f") is not None


def one_run_is_open_at_a_time(ledger: Ledger, reopen: Reopen) -> None:
    _refused(lambda: ledger.write([record(1)]))
    _refused(lambda: ledger.keep(call(1), [b"frame"]))
    _refused(lambda: ledger.remove(1, [1]))
    _refused(lambda: ledger.end_run(0, 2.0))
    assert ledger.run == 0
    ledger.begin_run(RUN)
    _refused(lambda: ledger.begin_run(RUN))
    ledger.end_run(0, 2.0)
    _refused(lambda: ledger.write([record(1)]))
    assert len(_runs(reopen(ledger))) == 1
    assert _contents(reopen(ledger)) == {}


def closing_commits_and_leaves_the_run_open(ledger: Ledger, reopen: Reopen) -> None:
    ledger.begin_run(RUN)
    ledger.write([record(1)])
    ledger.close()
    ledger.close()
    assert ledger.pending == 0
    assert _contents(reopen(ledger)) == {(1, 1): record(1)}
    assert _runs(reopen(ledger))[0].ended == 0.0
    _refused(lambda: ledger.write([record(2)]))


CHECKS: tuple[Callable[[Ledger, Reopen], None], ...] = (
    runs_are_numbered_from_one,
    a_run_is_durable_when_it_has_begun,
    the_end_of_a_run_commits_all,
    what_is_written_is_seen_at_once,
    what_is_committed_is_durable,
    a_commit_of_nothing_changes_nothing,
    the_last_record_of_a_task_counts,
    records_come_in_order_of_id,
    runs_keep_their_records_apart,
    any_text_survives,
    reading_goes_on_while_more_is_written,
    pages_hold_the_records_once_and_in_order,
    what_is_removed_is_gone_for_good,
    what_tasks_call_is_found_by_each_of_them,
    what_calls_share_is_kept_by_run,
    what_tasks_call_goes_with_the_last_of_their_records,
    what_calls_share_goes_with_the_last_of_an_earlier_run,
    one_run_is_open_at_a_time,
    closing_commits_and_leaves_the_run_open,
)


def _called(reader: LedgerReader, run: int, tasks: Iterable[int]) -> list[int]:
    """The first task of each of the calls that are found."""
    return [decode_call(row.data)[0].first for row in reader.calls(run, tasks)]


def _paged(ledger: Ledger, first: Position, last: Position, limit: int) -> list[list[tuple[Position, Record]]]:
    """Every page from one position to another."""
    pages, position = [], first
    while True:
        page = ledger.page(position, last, limit)
        pages.append([((run, found.task), found) for run, found in decode_page(page.data)])
        if page.following is None:
            return pages
        position = page.following


def _whole_run(ledger: Ledger, records: Iterable[Record] = ()) -> int:
    number = ledger.begin_run(RUN)
    ledger.write(records)
    ledger.end_run(0, 2.5)
    return number


def _runs(reader: LedgerReader) -> list[Run]:
    try:
        return reader.runs()
    finally:
        reader.close()


def _contents(reader: LedgerReader) -> dict[tuple[int, int], Record]:
    try:
        return contents(reader)
    finally:
        reader.close()


def _refused(call: Callable[[], object]) -> None:
    try:
        call()
    except LedgerError:
        return
    raise AssertionError("it was not refused")
