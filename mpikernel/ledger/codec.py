"""How records and runs become rows: a key whose byte order is the order of reading, and a value that msgspec encodes.

Knows nothing of where rows are kept. A change of keys or values raises `records.FORMAT`; a new kind of row, which readers that do not know
it pass over, does not.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.records import Position, Record, Run

#: Where the format and the last writer are kept, in ASCII. They sort before everything else.
FORMAT_KEY = b"\x00format"
WRITER_KEY = b"\x00writer"

_RUN = struct.Struct(">BI")  # 1, run
_RECORD = struct.Struct(">BIQ")  # 2, run, task; or 3, run, the last task of a call: so the first key from a task on is that of its call

_encoder = msgspec.msgpack.Encoder()
_run_decoder = msgspec.msgpack.Decoder(Run)
_record_decoder = msgspec.msgpack.Decoder(Record)
_call_decoder = msgspec.msgpack.Decoder(tuple[KeptCall, list[bytes]])
_header_decoder = msgspec.msgpack.Decoder(tuple[KeptCall, msgspec.Raw])
_shared_decoder = msgspec.msgpack.Decoder(tuple[KeptShared, list[bytes]])
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


def call_key(run: int, last: int) -> bytes:
    return _RECORD.pack(3, run, last)


def call_range(run: int) -> tuple[bytes, bytes]:
    """As `record_range`, of a run's calls."""
    return _RUN.pack(3, run), _RUN.pack(3, run + 1)


def shared_key(run: int, name: bytes) -> bytes:
    return _RUN.pack(4, run) + name


def shared_range(run: int) -> tuple[bytes, bytes]:
    """As `record_range`, of what a run's calls share."""
    return _RUN.pack(4, run), _RUN.pack(4, run + 1)


def run_of(key: bytes) -> int:
    """The run that the record with this key belongs to."""
    number: int = _RECORD.unpack(key)[1]
    return number


def position_of(key: bytes) -> Position:
    """The run and the task of the record with this key; of a call the last task."""
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


def encode_kept(kept: KeptCall | KeptShared, frames: Sequence[bytes | bytearray | memoryview]) -> bytes:
    return _encoder.encode((kept, frames))


def decode_call(data: bytes | bytearray | memoryview) -> tuple[KeptCall, list[bytes]]:
    return _call_decoder.decode(data)


def header_of_call(data: bytes) -> KeptCall:
    """As `decode_call`, without its frames."""
    return _header_decoder.decode(data)[0]


def decode_shared(data: bytes | bytearray | memoryview) -> tuple[KeptShared, list[bytes]]:
    return _shared_decoder.decode(data)


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
