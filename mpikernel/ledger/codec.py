"""How records and runs become rows: a key whose byte order is the order of reading, and a value that msgspec encodes.

Knows nothing of where rows are kept. A change of keys or values raises `records.FORMAT`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from mpikernel.ledger.records import Position, Record, Run

#: Where the format and the last writer are kept, in ASCII. They sort before everything else.
FORMAT_KEY = b"\x00format"
WRITER_KEY = b"\x00writer"

_RUN = struct.Struct(">BI")  # 1, run
_RECORD = struct.Struct(">BIQ")  # 2, run, task

_encoder = msgspec.msgpack.Encoder()
_run_decoder = msgspec.msgpack.Decoder(Run)
_record_decoder = msgspec.msgpack.Decoder(Record)
_page_decoder = msgspec.msgpack.Decoder(list[tuple[int, Record]])

#: Every run's key is in [first, end).
RUNS = (b"\x01", b"\x02")


def run_key(number: int) -> bytes:
    return _RUN.pack(1, number)


def record_key(run: int, task: int) -> bytes:
    return _RECORD.pack(2, run, task)


def record_range(run: int | None) -> tuple[bytes, bytes]:
    """The keys of a run's records, or of all records, are in [first, end)."""
    return (b"\x02", b"\x03") if run is None else (_RUN.pack(2, run), _RUN.pack(2, run + 1))


def run_of(key: bytes) -> int:
    """The run that the record with this key belongs to."""
    number: int = _RECORD.unpack(key)[1]
    return number


def position_of(key: bytes) -> Position:
    """The run and the task of the record with this key."""
    _, run, task = _RECORD.unpack(key)
    return run, task


def encode(value: Record | Run) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # a file name that is not UTF-8 reaches us as lone surrogates
        return _encoder.encode(_spelled_out(value))


def decode_run(data: bytes) -> Run:
    return _run_decoder.decode(data)


def decode_record(data: bytes) -> Record:
    return _record_decoder.decode(data)


def encode_page(rows: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Rows of records as one text, each as it is stored and with its run in front."""
    return _encoder.encode([(run_of(key), msgspec.Raw(data)) for key, data in rows])


def decode_page(data: bytes | bytearray | memoryview) -> list[tuple[int, Record]]:
    """The (run, record) of each row of a page."""
    return _page_decoder.decode(data)


def _spelled_out(value: Any) -> Any:
    """The same with every character that UTF-8 does not have written as an escape."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, tuple):
        return tuple(map(_spelled_out, value))
    if isinstance(value, msgspec.Struct):
        return type(value)(*map(_spelled_out, msgspec.structs.astuple(value)))
    return value
