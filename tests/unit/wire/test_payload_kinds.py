"""Every kind of array, and whatever else is one block of memory, arrives as it was and writable, its block beside the pickle."""

from __future__ import annotations

import array
import copyreg
import ctypes
import gc
import subprocess
import sys
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import pytest

from mpikernel.errors import SerializeError
from mpikernel.wire.payload import Frames, dump, load, size

COUNT = 4096
ITEM = numpy.dtype([("when", "M8[us]"), ("where", "f4", (2,)), ("name", "S3")])


def travelled(frames: Frames) -> Any:
    return load([bytearray(frame) for frame in frames])


def cube() -> Any:
    return numpy.arange(float(COUNT)).reshape(16, 16, 16)


def locked(some: Any) -> Any:
    """The same memory, not to be written to."""
    some = some.view()
    some.flags.writeable = False
    return some


OUTSIDE: dict[str, Callable[[], Any]] = {
    "dates": lambda: numpy.arange(COUNT).astype("M8[ns]"),
    "dates in F order": lambda: numpy.asfortranarray(numpy.arange(COUNT).astype("m8[h]").reshape(64, -1)),
    "dates of the other byte order": lambda: numpy.arange(COUNT).astype(">M8[s]"),
    "dates in records": lambda: numpy.zeros(COUNT, ITEM),
    "records with gaps": lambda: numpy.zeros(COUNT, numpy.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "axes in another order": lambda: cube().transpose(1, 2, 0),
    "read-only": lambda: locked(cube()),
    "read-only in F order": lambda: locked(cube()).T,
    "read-only dates": lambda: locked(numpy.arange(COUNT).astype("M8[ns]")),
    "bytes seen as an array": lambda: numpy.frombuffer(bytes(COUNT), "i2"),
    "matrix": lambda: cube().reshape(64, -1).view(numpy.matrix),
    "records seen as objects": lambda: numpy.rec.array([(1, 2.0, "a")] * COUNT, dtype=[("a", "i4"), ("b", "f8"), ("c", "U3")]),
}
COPIED: dict[str, Callable[[], Any]] = {
    "every second": lambda: numpy.arange(COUNT)[::2],
    "backwards": lambda: cube()[::-1, :, ::-2],
    "columns": lambda: cube().reshape(64, -1)[:, 3:7],
    "part of F order": lambda: numpy.asfortranarray(cube())[2:9],
    "repeated": lambda: numpy.broadcast_to(cube()[0], (4, 16, 16)),
    "one value repeated": lambda: numpy.broadcast_to(numpy.float64(3), (100, 100)),
    "overlapping": lambda: numpy.lib.stride_tricks.sliding_window_view(numpy.arange(100.0), 10),
    "longdouble": lambda: numpy.arange(COUNT).astype(numpy.longdouble)[::2],
    "halves backwards": lambda: numpy.arange(COUNT).astype("f2")[::-1],
    "text": lambda: numpy.array(["häß", "b"] * COUNT)[::3],
    "read-only columns": lambda: locked(cube())[:, 1::3],
}
INSIDE: dict[str, Callable[[], Any]] = {
    "one date": lambda: numpy.array("2026-01-01", "M8[D]"),
    "one read-only number": lambda: locked(numpy.array(2.5)),
    "nothing, cut": lambda: numpy.zeros((0, 5))[:, ::2],
    "nothing, read-only": lambda: locked(numpy.zeros((3, 0))),
    "bytes of no length": lambda: numpy.zeros(5, "S0"),
    "text of no length": lambda: numpy.zeros(5, "U0"),
    "void of no length": lambda: numpy.zeros(5, "V0"),
    "a few, cut": lambda: numpy.arange(9)[::4],
    "what somebody has noted": lambda: numpy.zeros(3, numpy.dtype("f8", metadata={"unit": "m"})),
}
KINDS = OUTSIDE | COPIED | INSIDE


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_array_arrives_bitwise_equal_and_writable(kind: str) -> None:
    sent = KINDS[kind]()
    arrived = travelled(dump(sent))
    assert type(arrived) is type(sent)
    assert (arrived.dtype, arrived.shape) == (sent.dtype, sent.shape)
    assert arrived.dtype.metadata == sent.dtype.metadata
    assert arrived.tobytes() == sent.tobytes()
    assert arrived.flags.writeable
    arrived[...] = numpy.zeros((), arrived.dtype)


@pytest.mark.parametrize("kind", OUTSIDE)
def test_its_memory_is_a_frame(kind: str) -> None:
    sent = OUTSIDE[kind]()
    frames = dump(sent)
    assert len(frames) == 2
    assert numpy.shares_memory(numpy.frombuffer(frames[1], "u1"), numpy.asarray(sent))
    assert travelled(frames).strides == sent.strides


@pytest.mark.parametrize("kind", COPIED)
def test_what_has_gaps_is_copied_into_a_frame_once(kind: str) -> None:
    sent = COPIED[kind]()
    frames = dump(sent)
    assert [len(frame) for frame in frames[1:]] == [sent.nbytes]


def test_order_is_kept_where_there_is_one() -> None:
    assert travelled(dump(numpy.asfortranarray(cube())[2:9])).flags.f_contiguous
    assert travelled(dump(cube()[2:9])).flags.c_contiguous
    assert travelled(dump(cube()[:, ::2])).flags.c_contiguous
    assert travelled(dump(numpy.broadcast_to(cube()[0], (4, 16, 16)))).flags.c_contiguous


def test_parts_of_one_array_are_arrays_of_their_own_there() -> None:
    whole = cube()
    first, second = travelled(dump([whole[:4], whole[2:]]))
    first[:] = 0
    assert numpy.array_equal(second, whole[2:])


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
@pytest.mark.parametrize("step", [1, 2])
def test_what_is_mapped_from_a_file_arrives_without_it(mode: Any, step: int, tmp_path: Path) -> None:
    numpy.arange(1000.0).tofile(tmp_path / "data")
    arrived = travelled(dump(numpy.memmap(tmp_path / "data", "f8", mode)[::step]))
    assert type(arrived) is numpy.memmap
    assert arrived.tolist() == list(range(0, 1000, step))
    arrived[:] = 0
    assert numpy.fromfile(tmp_path / "data").tolist() == list(range(1000))


MASKED: dict[str, Callable[[], Any]] = {
    "some": lambda: numpy.ma.masked_less(cube(), 17),
    "none": lambda: numpy.ma.array(cube()),
    "cut": lambda: numpy.ma.masked_less(cube(), 17)[::2],
    "F order": lambda: numpy.ma.masked_less(cube(), 17).T,
    "hard": lambda: numpy.ma.array(numpy.arange(10), mask=[True, False] * 5, hard_mask=True, fill_value=7),
    "records": lambda: numpy.ma.zeros(3, [("a", "f8"), ("b", "i4")]),
    "dates": lambda: numpy.ma.array(numpy.arange(COUNT).astype("M8[ns]"), mask=False),
}


@pytest.mark.parametrize("kind", MASKED)
def test_a_masked_array_keeps_its_mask(kind: str) -> None:
    sent = MASKED[kind]()
    arrived = travelled(dump(sent))
    assert type(arrived) is type(sent)
    assert arrived.data.tobytes() == sent.data.tobytes()
    assert arrived.mask.tobytes() == numpy.ma.getmaskarray(sent).tobytes()
    assert (str(arrived.fill_value), arrived.hardmask) == (str(sent.fill_value), sent.hardmask)
    assert arrived.data.flags.writeable
    assert arrived.mask.flags.writeable


VIEWS: dict[str, Callable[[], memoryview]] = {
    "bytes": lambda: memoryview(b"abc" * COUNT),
    "few bytes": lambda: memoryview(b"abc"),
    "bytearray": lambda: memoryview(bytearray(b"abc" * COUNT)),
    "nothing": lambda: memoryview(b""),
    "numbers": lambda: memoryview(array.array("d", range(COUNT))),
    "no numbers": lambda: memoryview(array.array("d")),
    "three axes": lambda: memoryview(cube()),
    "three axes in F order": lambda: memoryview(numpy.asfortranarray(cube())),
    "read-only axes": lambda: memoryview(locked(cube())),
    "every third": lambda: memoryview(bytes(range(256)) * 9)[::3],
    "no items in an axis": lambda: memoryview(numpy.empty((0, 3))),
    "one number": lambda: memoryview(numpy.array(3.5)),
    "the other byte order": lambda: memoryview(numpy.arange(COUNT).astype(">i4")),
    "complex": lambda: memoryview(numpy.arange(COUNT) * 1j),
    "records": lambda: memoryview(numpy.zeros(COUNT, [("a", "f8"), ("b", "i2")])),
}


@pytest.mark.parametrize("kind", VIEWS)
def test_a_memoryview_arrives_writable_in_its_form(kind: str) -> None:
    sent = VIEWS[kind]()
    frames = dump({"view": sent})
    arrived = travelled(frames)["view"]
    assert type(arrived) is memoryview
    assert (arrived.format, arrived.shape, arrived.readonly) == (sent.format, sent.shape, False)
    assert (arrived.tobytes(), arrived.f_contiguous) == (sent.tobytes(), sent.f_contiguous or arrived.ndim == 1)
    assert size(frames[:1]) < 1000


def test_a_memoryview_of_a_kind_that_only_ctypes_has_arrives_equal() -> None:
    arrived = travelled(dump(memoryview((ctypes.c_int * 3)(1, 2, 3))))
    assert arrived.tolist() == [1, 2, 3]


def test_a_memoryview_that_was_released_is_named() -> None:
    view = memoryview(b"")
    view.release()
    with pytest.raises(SerializeError, match=r"the arguments of f cannot be pickled .*released"):
        dump([view], "the arguments of f")


@pytest.mark.parametrize(
    "sent", [array.array("d", range(COUNT)), array.array("u", "häß"), array.array("b"), array.array("q", [-1])], ids=str
)
def test_an_array_of_the_standard_library_arrives(sent: Any) -> None:
    frames = dump([sent])
    assert size(frames[:1]) < 1000
    arrived = travelled(frames)[0]
    assert (type(arrived), arrived.typecode, arrived) == (type(sent), sent.typecode, sent)


def test_memoryviews_travel_where_nobody_has_imported_numpy() -> None:
    program = """if True:
        import ctypes, sys
        from mpikernel.errors import SerializeError
        from mpikernel.wire.payload import dump, load
        cut = memoryview(bytearray(b"abcd" * 1000))[::3]
        for sent in (memoryview(bytes(5000)), cut, memoryview(bytearray(8)).cast("d"), memoryview(b"")):
            arrived = load([bytearray(frame) for frame in dump(sent)])
            assert (arrived.tobytes(), arrived.shape, arrived.format, arrived.readonly) == (sent.tobytes(), sent.shape, sent.format, False)
        try:
            dump(memoryview((ctypes.c_int * 3)()))
        except SerializeError as error:
            assert "only where numpy is imported" in str(error), error
        else:
            raise AssertionError("went")
        assert "numpy" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


class Registered:
    """A class whose pickling somebody registers."""


def test_what_is_registered_for_all_pickles_holds_here_too() -> None:
    dump(Registered())  # so that there is a pickler that knows nothing of it
    copyreg.pickle(Registered, lambda _: "COUNT")
    try:
        assert travelled(dump(Registered)) is Registered
        with pytest.raises(SerializeError, match="COUNT"):
            dump(Registered())
    finally:
        del copyreg.dispatch_table[Registered]


def frame_of_columns() -> Any:
    import pandas  # here: not everywhere

    dates = pandas.date_range("2026", periods=COUNT)
    return pandas.DataFrame({"a": numpy.arange(float(COUNT)), "t": dates, "k": pandas.Categorical(["u", "v"] * (COUNT // 2))})


def table_of_columns() -> Any:
    import pyarrow  # here: not everywhere

    return pyarrow.table({"a": numpy.arange(float(COUNT))})


LIBRARIES = {"pandas": frame_of_columns, "pyarrow": table_of_columns}


def test_tables_of_other_libraries_leave_the_pickle() -> None:
    """Of those that are installed; the rest is theirs."""
    for make in (LIBRARIES[name] for name in LIBRARIES if find_spec(name)):
        sent = make()
        frames = dump({"table": [sent]})
        assert max(map(len, frames[1:])) >= 8 * COUNT
        assert travelled(frames)["table"][0].equals(sent)


@pytest.mark.parametrize("along", [{}, dict.fromkeys(map(str, range(5000))), lambda: None], ids=["small", "large", "function"])
def test_a_dump_holds_nothing_once_its_frames_are_gone(along: object) -> None:
    """Python crashes where its garbage collector finds a memoryview together with a PickleBuffer of it."""
    block = memoryview(bytearray(100_000))
    there = weakref.ref(block)
    frames = dump([block, along])
    gc.disable()
    try:
        del frames, block
        assert there() is None
    finally:
        gc.enable()
