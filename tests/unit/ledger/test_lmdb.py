"""The ledger on disk: what it refuses at the start and how it says so, how it grows, and what readers leave alone."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

import lmdb
import pytest

from mpikernel.errors import LedgerError
from mpikernel.ledger import lmdb as ledger_lmdb
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.codec import FORMAT_KEY
from mpikernel.ledger.lmdb import open_ledger, read_ledger
from mpikernel.ledger.lock import RunLock
from mpikernel.ledger.records import FORMAT, OK, Record, Run
from mpikernel.testing.ledger import RUN, contents, record


def one_run(folder: Path, records: int = 3) -> None:
    ledger = open_ledger(folder)
    ledger.begin_run(RUN)
    ledger.write(map(record, range(records)))
    ledger.end_run(0, 2.0)
    ledger.close()


def refusal(folder: Path, **options: int) -> str:
    with pytest.raises(LedgerError) as caught:
        open_ledger(folder, **options)
    return str(caught.value)


def reading_refusal(folder: Path) -> str:
    with pytest.raises(LedgerError) as caught:
        read_ledger(folder)
    return str(caught.value)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_makes_its_folder_and_continues_the_numbers_of_runs(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "ledger"
    one_run(folder)
    one_run(folder)
    reader = read_ledger(folder)
    assert [run.number for run in reader.runs()] == [1, 2]
    assert len(contents(reader)) == 6
    reader.close()


def test_its_files_are_for_the_owner_to_write_and_nobody_to_execute(tmp_path: Path) -> None:
    one_run(tmp_path / "ledger")
    assert {path.stat().st_mode & 0o133 for path in (tmp_path / "ledger").iterdir()} == {0}


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("mine")
    for folder in (tmp_path / "ledger", tmp_path / "ledger" / "deeper" / "still"):
        assert f"{tmp_path / 'ledger'} is in the way" in refusal(folder)
    assert (tmp_path / "ledger").read_text() == "mine"


def test_a_dangling_link_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "ledger").symlink_to(tmp_path / "nowhere")
    assert str(tmp_path / "ledger") in refusal(tmp_path / "ledger")


@pytest.mark.parametrize("folder", ["/proc/mpikernel/ledger", "/sys/kernel"])  # not even root can write there
def test_a_place_that_cannot_be_written(folder: str) -> None:
    assert f"the ledger in {folder} cannot be written" in refusal(Path(folder))


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").mkdir()
    assert "cannot be written" in refusal(tmp_path)
    assert "no ledger" in reading_refusal(tmp_path)


def test_too_little_space_and_then_nothing_is_made(tmp_path: Path) -> None:
    text = refusal(tmp_path / "new" / "ledger", fresh_space=2**60)
    assert re.search(r"no space .* [\d.]+ MiB are free and a run needs 1099511627776 MiB to begin", text)
    assert list(tmp_path.iterdir()) == []


def test_another_run_has_it_open(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    assert f"another run has the ledger in {tmp_path} open: process {os.getpid()} on {socket.gethostname()}" in refusal(tmp_path)
    ledger.close()
    open_ledger(tmp_path).close()


@pytest.mark.parametrize("found", [FORMAT + 1, FORMAT + 10])
def test_a_newer_format(tmp_path: Path, found: int) -> None:
    rewrite(tmp_path, FORMAT_KEY, b"%d" % found)
    before = (tmp_path / "data.mdb").read_bytes()
    for text in (refusal(tmp_path), reading_refusal(tmp_path)):
        assert f"has format {found} and this mpikernel knows format {FORMAT}; use the mpikernel that wrote it" in text
    assert (tmp_path / "data.mdb").read_bytes() == before


def test_somebody_elses_lmdb(tmp_path: Path) -> None:
    rewrite(tmp_path, b"key", b"value")
    before = (tmp_path / "data.mdb").read_bytes()
    assert "has format none" in refusal(tmp_path)
    assert "has format none" in reading_refusal(tmp_path)
    assert (tmp_path / "data.mdb").read_bytes() == before


def rewrite(folder: Path, key: bytes, value: bytes) -> None:
    with lmdb.open(str(folder)) as environment, environment.begin(write=True) as transaction:
        transaction.put(key, value)


@pytest.mark.parametrize("content", [b"hello", b"\0" * 8192, b"#!/bin/sh\n" * 2000])
def test_no_lmdb_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    for text in (refusal(tmp_path), reading_refusal(tmp_path)):
        assert "data.mdb is damaged or no LMDB file" in text
    assert (tmp_path / "data.mdb").read_bytes() == content


def test_a_file_that_was_cut_short_is_refused_instead_of_ending_the_process(tmp_path: Path) -> None:
    one_run(tmp_path, records=20_000)
    os.truncate(tmp_path / "data.mdb", (tmp_path / "data.mdb").stat().st_size // 2)
    assert "cut short" in refusal(tmp_path)
    assert "cut short" in reading_refusal(tmp_path)


def test_a_damaged_record_is_named_and_not_a_crash(tmp_path: Path) -> None:
    one_run(tmp_path)
    rewrite(tmp_path, b"\x02\0\0\0\x01" + b"\0" * 8, b"\xc1 no msgpack")
    reader = read_ledger(tmp_path)
    with pytest.raises(LedgerError, match=f"the ledger in {tmp_path} is damaged"):
        list(reader.records())
    reader.close()


def test_what_the_first_run_left_when_it_was_killed_at_once(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").touch()
    assert "there is no ledger" in reading_refusal(tmp_path)
    one_run(tmp_path)


def test_the_map_grows_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_lmdb, "FIRST_MAP", 1 << 16)
    ledger = open_ledger(tmp_path)
    ledger.begin_run(RUN)
    reading = ledger.records()
    for first in range(0, 30_000, 3000):
        ledger.write(map(record, range(first, first + 3000)))
        ledger.commit()
        ledger.write(record(task, OK) for task in range(first, first + 3000, 7))
        next(reading)  # a reading goes on across every growth
    ledger.end_run(0, 2.0)
    ledger.close()
    reader = read_ledger(tmp_path)
    assert contents(reader) == {(1, task): record(task, "submitted" if task % 3000 % 7 else OK) for task in range(30_000)}
    reader.close()


def test_records_in_order_fill_their_pages(tmp_path: Path) -> None:
    one_run(tmp_path, records=20_000)
    size = (tmp_path / "data.mdb").stat().st_size
    bare = sum(len(each.label) + len(each.host) + 80 for each in map(record, range(20_000)))
    assert size < 1.6 * bare


def test_reading_changes_no_file(tmp_path: Path) -> None:
    one_run(tmp_path)
    (tmp_path / "lock.mdb").unlink()
    (tmp_path / "run.lock").unlink()
    before = files_in(tmp_path)
    reader = read_ledger(tmp_path)
    assert len(contents(reader)) == 3
    assert not reader.live()
    reader.close()
    assert files_in(tmp_path) == before


def test_reading_where_nothing_is_makes_nothing(tmp_path: Path) -> None:
    assert f"there is no ledger in {tmp_path / 'x'}" in reading_refusal(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_reader_says_so(tmp_path: Path) -> None:
    one_run(tmp_path)
    reader = read_ledger(tmp_path)
    reader.close()
    reader.close()
    with pytest.raises(LedgerError, match="cannot be read"):
        reader.runs()


def test_a_run_on_another_host_is_not_read_over_the_network(tmp_path: Path) -> None:
    one_run(tmp_path)
    copy = Path(shutil.copytree(tmp_path, tmp_path / "copy"))
    lock = RunLock(copy)
    (copy / "run.lock").write_text("17 elsewhere.example\n")
    assert "is being written by process 17 on elsewhere.example; read it on that host" in reading_refusal(copy)
    lock.release()
    read_ledger(copy).close()


def test_a_live_run_is_not_read_by_who_cannot_tell_its_writer(tmp_path: Path) -> None:
    one_run(tmp_path)
    lock = RunLock(tmp_path)
    (tmp_path / "lock.mdb").unlink()  # as if it could not be written
    text = reading_refusal(tmp_path)
    assert f"is being written by process {os.getpid()} on {socket.gethostname()}" in text
    assert f"only who may write {tmp_path / 'lock.mdb'} can read it" in text
    lock.release()


def test_a_commit_that_fails_keeps_what_is_pending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger(tmp_path)
    ledger.begin_run(RUN)
    ledger.write([record(1)])
    with monkeypatch.context() as patch:
        patch.setattr(ledger_lmdb.LmdbStore, "_put", lambda *_: (_ for _ in ()).throw(lmdb.DiskError("no space left")))
        with pytest.raises(LedgerError, match=f"the ledger in {tmp_path} cannot be written: no space left; .* MiB are free there"):
            ledger.commit()
    assert ledger.pending == 1
    ledger.commit()
    assert ledger.pending == 0
    ledger.close()


def test_the_shape_of_records_belongs_to_the_format() -> None:
    """Who changes a field of these must raise FORMAT, or add it at the end with a default, and then change this test."""
    assert FORMAT == 1
    assert Record.__struct_fields__ == (
        *("task", "kind", "label", "engine", "rank", "host", "submitted", "started", "completed", "status", "error", "attempt"),
    )
    assert KeptCall.__struct_fields__ == ("first", "count", "function", "label", "terms", "stream", "ends", "size", "parts", "named")
    assert KeptShared.__struct_fields__ == ("name", "size", "parts")
    assert Run.__struct_fields__ == ("number", "started", "ended", "exit_code", "program", "argv", "size", "engines", "hosts", "mpi")
