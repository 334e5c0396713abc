"""Memory that processes share: read-only for who maps it, an error where there is no room, and gone without a trace."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest

from mpikernel.arrays import shared_memory
from mpikernel.arrays.shared_memory import Area, Place, attach, offsets
from mpikernel.errors import SerializeError

FRAMES = [b"first", bytes(range(256)) * 20, b"last"]
SIZES = [len(frame) for frame in FRAMES]


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: as a file system does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_each_frame_has_pages_of_its_own() -> None:
    page = mmap.PAGESIZE
    assert offsets([1, page, page + 1, 0]) == [0, page, 2 * page, 4 * page, 4 * page]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_was_written_is_read(times: int) -> None:
    area = Area(offsets(SIZES)[-1])
    for number in range(times):
        frames = [bytes([number]) + frame[1:] for frame in FRAMES]
        area.write(frames)
        found = attach(area.place, SIZES)
        assert [bytes(frame) for frame in found] == frames
        assert all(frame.readonly for frame in found)


def test_frames_can_land_in_it() -> None:
    area = Area(offsets(SIZES)[-1])
    for room, frame in zip(area.landing(SIZES), FRAMES, strict=True):
        room[:] = frame
    assert [bytes(frame) for frame in attach(area.place, SIZES)] == FRAMES


def test_an_area_is_in_use_as_long_as_any_view_of_it_lives() -> None:
    area = Area(offsets(SIZES)[-1])
    area.write(FRAMES)
    assert area.unused
    found = attach(area.place, SIZES)
    array = numpy.frombuffer(found[1], "u1")[5:]
    del found
    assert not area.unused
    del array
    assert area.unused


def test_what_is_mapped_outlives_its_maker() -> None:
    area = Area(offsets(SIZES)[-1])
    area.write(FRAMES)
    found = attach(area.place, SIZES)
    del area
    assert [bytes(frame) for frame in found] == FRAMES


def test_nothing_is_left_of_it() -> None:
    names, before = set(os.listdir(shared_memory.FOLDER)), descriptors()
    for _ in range(5):
        area = Area(offsets(SIZES)[-1])
        area.write(FRAMES)
        attach(area.place, SIZES)
        assert not any(name.startswith("#") for name in set(os.listdir(shared_memory.FOLDER)) - names)
    del area
    assert descriptors() == before


def test_more_than_there_is_room_for() -> None:
    before = descriptors()
    with pytest.raises(SerializeError, match=rf"/dev/shm of this host has no room for {1 << 50} bytes to share: \d+ are free"):
        Area(1 << 50)
    assert descriptors() == before


def test_room_that_is_gone_when_it_is_needed_is_an_error_and_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    area = Area(1 << 20)
    with files_of_at_most(1 << 16), pytest.raises(SerializeError, match=f"no room for {1 << 20} bytes"):
        area.write([bytes(1 << 20)])
    area.write([b"x" * (1 << 20)])
    assert bytes(attach(area.place, [1 << 20])[0]) == b"x" * (1 << 20)

    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(SerializeError, match=f"no room for {1 << 20} bytes to share: No space left on device"):
        Area(1 << 20).landing([1 << 20])


def test_a_host_without_such_a_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared_memory, "FOLDER", str(tmp_path / "nowhere"))
    with pytest.raises(SerializeError, match="nowhere of this host cannot hold 5 bytes to share: No such file"):
        Area(5)


def test_what_cannot_be_reached() -> None:
    area = Area(offsets(SIZES)[-1])
    area.write(FRAMES)
    place, before = area.place, descriptors()
    with pytest.raises(SerializeError, match="is not the memory to share"):
        attach(place._replace(inode=place.inode + 1), SIZES)
    for wrong in (place._replace(pid=2**22 + 1), place._replace(descriptor=9999), Place(0, 0, 0, 0)):
        with pytest.raises(SerializeError, match="memory to share cannot be reached at /proc/"):
            attach(wrong, SIZES)
    assert descriptors() == before
