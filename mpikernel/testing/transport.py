"""The promise of a transport (`mpikernel.wire.transport`), told as checks that hold for every transport there is.

A check says what one rank does; every rank of the world does the same at once. Whoever breaks the promise is found by an
assertion that names check and rank, or by the limit; a call that blocks for ever is for the caller's own limit to find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpikernel.testing.station import Check, Station, Steps, content, expect, is_urgent, run_check
from mpikernel.wire.envelope import Departure, Frame, Missing
from mpikernel.wire.messages import Message, Push, Stop
from mpikernel.wire.transport import Arrival, Transport

#: Frames of so many bytes are large in the worlds of these checks.
THRESHOLD = 4096
AROUND = (0, 1, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1)
#: No MPI takes a message of so many bytes before its receiver asks for it.
LARGE = 1 << 19

#: Makes the transports of those ranks that are in this process (all of a world in memory, one of a world of processes), for a threshold.
MakeWorld = Callable[[int], Sequence[Transport]]


def check_transport(make_world: MakeWorld, limit: float = 30.0) -> None:
    """Run every check, each over a new world and in no more than `limit` seconds; collective where the world has several processes."""
    for check in CHECKS:
        transports = make_world(THRESHOLD)
        run_check(check, transports, limit)
        for transport in transports:
            transport.close()


def nothing_comes_of_nothing(own: Station) -> Steps[None]:
    assert own.transport.idle, "it is not idle although nothing was posted"
    assert not own.transport.moving, "something moves although nothing was posted"
    for rank in own.everyone:
        own.post(rank)
    own.poll()
    assert not own.arrived, f"{own.arrived} came although nobody posted anything"
    yield


def order_is_kept_for_each_sender(own: Station) -> Steps[None]:
    sizes = (10, 0, THRESHOLD, 3, 2 * THRESHOLD, 100)
    for number in range(0, 120, 4):
        for rank in own.everyone:
            own.post(rank, *([content(sizes[each % len(sizes)], own.rank, rank, each)] for each in range(number, number + 4)))
        own.poll()
        yield
    arrived = yield from own.collect(120 * own.size)
    for sender in own.everyone:
        for number, arrival in enumerate(_from(arrived, sender)):
            expect(arrival, sender, number, [content(sizes[number % len(sizes)], sender, own.rank, number)])


def what_follows_a_large_frame_waits_for_it(own: Station) -> Steps[None]:
    rows = [[b"before"], [b"head", content(LARGE, own.rank)], [b"after"], []]
    for row in rows:
        own.post(own.next, row)
    arrived = yield from own.collect(len(rows))
    for number, row in enumerate([[b"before"], [b"head", content(LARGE, own.previous)], [b"after"], []]):
        expect(arrived[number], own.previous, number, row)


def frames_around_the_threshold(own: Station) -> Steps[None]:
    rows = [[content(size, own.rank)] for size in AROUND] + [[b"first", content(size, own.rank)] for size in AROUND]
    for row in rows:
        own.post(own.next, row)
    arrived = yield from own.collect(len(rows))
    sent = [[content(size, own.previous)] for size in AROUND] + [[b"first", content(size, own.previous)] for size in AROUND]
    for number, row in enumerate(sent):
        expect(arrived[number], own.previous, number, row)


def frames_of_every_size_in_one_message(own: Station) -> Steps[None]:
    def row(sender: int) -> list[Frame]:
        return [content(size, sender, turn) for turn in range(3) for size in (*AROUND, 10 * THRESHOLD)]

    own.post(own.next, row(own.rank))
    own.post(own.next, row(own.rank)[::-1], row(own.rank))
    arrived = yield from own.collect(3)
    for number, frames in enumerate((row(own.previous), row(own.previous)[::-1], row(own.previous))):
        expect(arrived[number], own.previous, number, frames)


def much_in_one_call(own: Station) -> Steps[None]:
    """More messages than an envelope carries, and one message whose small frames alone are more than that."""

    def rows(sender: int) -> list[list[bytes]]:
        frames = [content(1000, sender, number) for number in range(300)]
        return [*([frame] for frame in frames), frames]

    own.post(own.next, *rows(own.rank))
    arrived = yield from own.collect(301)
    for number, row in enumerate(rows(own.previous)):
        expect(arrived[number], own.previous, number, row)


def frames_may_be_any_memory(own: Station) -> Steps[None]:
    def row(sender: int) -> list[Frame]:
        small, large = content(100, sender), content(3 * THRESHOLD, sender)
        views = [memoryview(small), memoryview(bytearray(small)), memoryview(large), memoryview(bytearray(large))[1:-1]]
        return [small, bytearray(small), large, bytearray(large), *views]

    own.post(own.next, row(own.rank))
    [arrival] = yield from own.collect(1)
    expect(arrival, own.previous, 0, row(own.previous))


def arrived_buffers_are_writable_memory_of_their_own(own: Station) -> Steps[None]:
    frames = [bytearray(content(size, own.rank)) for size in (8, *AROUND, 100, 100, 5 * THRESHOLD)]
    own.post(own.next, frames)
    own.post(own.rank, frames)
    for sender, arrival in ((each.sender, each) for each in (yield from own.collect(2))):
        for frame in arrival.frames[1:]:
            view = memoryview(frame)
            assert not view.readonly, f"a frame of {len(view)} bytes from rank {sender} cannot be written to"
            view[:] = bytes(len(view))
    yield from own.wait(lambda: own.transport.idle)
    assert frames == [content(len(frame), own.rank) for frame in frames], "who wrote to what arrived changed what had been posted"


def what_has_left_may_be_changed(own: Station) -> Steps[None]:
    """`idle` tells the truth: from then on nobody reads what was posted."""
    sizes = (100, THRESHOLD, LARGE)
    frames = [bytearray(content(size, own.rank)) for size in sizes]
    for rank in own.everyone:
        own.post(rank, frames)
    yield from own.wait(lambda: own.transport.idle)
    for frame in frames:
        frame[:] = bytes(len(frame))
    for arrival in (yield from own.collect(own.size)):
        expect(arrival, arrival.sender, 0, [content(size, arrival.sender) for size in sizes])


def posting_to_oneself_copies(own: Station) -> Steps[None]:
    sizes = (10, THRESHOLD - 1, THRESHOLD, LARGE)
    frames = [bytearray(content(size)) for size in sizes]
    own.post(own.rank, frames)
    own.post(own.rank, [b"second"])
    first, second = yield from own.collect(2)
    expect(second, own.rank, 1, [b"second"])
    for frame in frames:
        frame[:] = bytes(len(frame))
    expect(first, own.rank, 0, [content(size) for size in sizes])


def large_frames_cross(own: Station) -> Steps[None]:
    """Everybody sends to everybody before anybody receives."""
    for rank in own.everyone:
        own.post(rank, [content(LARGE, own.rank, rank, 0), content(LARGE, own.rank, rank, 1)], [content(LARGE, own.rank, rank, 2)])
    arrived = yield from own.collect(2 * own.size)
    for sender in own.everyone:
        first, second = _from(arrived, sender)
        expect(first, sender, 0, [content(LARGE, sender, own.rank, 0), content(LARGE, sender, own.rank, 1)])
        expect(second, sender, 1, [content(LARGE, sender, own.rank, 2)])


def many_senders_to_one(own: Station) -> Steps[None]:
    count = 200
    for number in range(count):
        own.post(0, [content(50, own.rank, number), content(THRESHOLD * (number % 20 == 0), own.rank, number)])
    if own.rank:
        return
    arrived = yield from own.collect(count * own.size)
    for sender in own.everyone:
        for number, arrival in enumerate(_from(arrived, sender)):
            expect(arrival, sender, number, [content(50, sender, number), content(THRESHOLD * (number % 20 == 0), sender, number)])


def one_to_many(own: Station) -> Steps[None]:
    """The same memory may be under way to several at once."""
    frame = content(LARGE)
    if own.rank == 0:
        for rank in own.everyone:
            own.post(rank, [b"head", frame])
    [arrival] = yield from own.collect(1)
    expect(arrival, 0, 0, [b"head", frame])


def one_message_to_many_goes_down_a_tree(own: Station) -> Steps[None]:
    """Everybody is the root of one, so each passes on what belongs to others; what follows keeps its place behind it."""
    sizes = (LARGE, 7, THRESHOLD, 3 * THRESHOLD + 1)
    others = [rank for rank in own.everyone if rank != own.rank]
    departure = Departure(len(others))
    own.post_down_a_tree(others, [content(size, own.rank) for size in sizes], departure)
    for rank in others:
        own.post(rank, [content(2 * THRESHOLD, own.rank, rank)])
    arrived = yield from own.collect(2 * len(others))
    for sender in others:
        shared, alone = _from(arrived, sender)
        expect(shared, sender, 0, [content(size, sender) for size in sizes])
        expect(alone, sender, 1, [content(2 * THRESHOLD, sender, own.rank)])
    yield from own.wait(lambda: departure.pending == 0)


def departures_tell_when_memory_may_change(own: Station) -> Steps[None]:
    frames = [bytearray(content(size, own.rank)) for size in (100, THRESHOLD, LARGE)]
    departures = [Departure(1) for _ in own.everyone]
    for rank, departure in zip(own.everyone, departures, strict=True):
        own.post_watched(rank, frames, departure)
    yield from own.wait(lambda: not any(departure.pending for departure in departures))
    for frame in frames:
        frame[:] = bytes(len(frame))
    for arrival in (yield from own.collect(own.size)):
        expect(arrival, arrival.sender, 0, [content(size, arrival.sender) for size in (100, THRESHOLD, LARGE)])


def frames_land_where_the_receiver_says(own: Station) -> Steps[None]:
    whole = bytearray(3 * THRESHOLD)
    places = [memoryview(whole)[THRESHOLD:], memoryview(whole)[:THRESHOLD]]
    asked: list[list[int]] = []

    def rooms(sender: int, message: Message, sizes: Sequence[int]) -> Sequence[memoryview] | None:
        asked.append(list(sizes))
        return places if len(sizes) == len(places) else None

    own.transport.rooms = rooms
    yield  # in one process: until everybody has said so
    own.post(own.next, [b"small", content(2 * THRESHOLD, own.rank), content(THRESHOLD, own.rank)])
    own.post(own.next, [content(THRESHOLD, own.rank, 1)])
    first, second = yield from own.collect(2)
    expect(first, own.previous, 0, [b"small", content(2 * THRESHOLD, own.previous), content(THRESHOLD, own.previous)])
    expect(second, own.previous, 1, [content(THRESHOLD, own.previous, 1)])
    assert whole == content(THRESHOLD, own.previous) + content(2 * THRESHOLD, own.previous), "frames did not land where they should"
    assert asked == [[2 * THRESHOLD, THRESHOLD], [THRESHOLD]], f"it was asked for places for frames of {asked} bytes"
    own.transport.rooms = None


def what_there_is_no_memory_for_is_missing(own: Station) -> Steps[None]:
    """Nothing else suffers, down a tree neither."""

    def rooms(sender: int, message: Message, sizes: Sequence[int]) -> Sequence[Frame] | None:
        return [Missing(b"none left") for _ in sizes] if message == Push(0, ()) else None

    others = [rank for rank in own.everyone if rank != own.rank]
    own.transport.rooms = rooms
    yield  # in one process: until everybody has said so
    own.post_down_a_tree(others, [b"small", content(LARGE, own.rank)], Departure(len(others)))
    for rank in others:
        own.post(rank, [content(LARGE, own.rank, rank)])
    arrived = yield from own.collect(2 * len(others))
    for sender in others:
        lost, whole = _from(arrived, sender)
        assert lost.frames[0] == b"small"
        assert isinstance(lost.frames[1], Missing), "a frame that there is no memory for came as something"
        expect(whole, sender, 1, [content(LARGE, sender, own.rank)])
    own.transport.rooms = None


def urgent_messages_come_once_and_in_order(own: Station) -> Steps[None]:
    """They may overtake and be overtaken, but among themselves they keep their order, and so does the rest."""
    mixed = (False, True, True, False, True, False)
    for rank in own.everyone:
        own.post(rank, [content(LARGE, own.rank)])
        own.post_mixed(rank, mixed)
        own.post_mixed(rank, mixed)
    arrived = yield from own.collect((1 + 2 * len(mixed)) * own.size)
    for sender in own.everyone:
        came = _from(arrived, sender)
        urgent = [each.message for each in came if is_urgent(each)]
        assert urgent == [Stop(number, "") for number in range(2 * sum(mixed))], f"urgent messages from rank {sender} came as {urgent}"
        for number, arrival in enumerate(each for each in came if not is_urgent(each)):
            expect(arrival, sender, number, [] if number else [content(LARGE, sender)])


def only_large_frames_are_said_to_move(own: Station) -> Steps[None]:
    for number in range(20):
        own.post(own.next, [content(THRESHOLD - 1, number)], [])
        assert not own.transport.moving, "something moves although only small frames were posted"
        yield
    for number in range(20):
        for arrival, row in zip((yield from own.collect(2)), ([content(THRESHOLD - 1, number)], []), strict=True):
            expect(arrival, own.previous, 2 * number + (not row), row)
        assert not own.transport.moving, "something moves although only small frames came"


def _from(arrived: Sequence[Arrival], sender: int) -> list[Arrival]:
    return [arrival for arrival in arrived if arrival.sender == sender]


CHECKS: tuple[Check, ...] = (
    nothing_comes_of_nothing,
    order_is_kept_for_each_sender,
    what_follows_a_large_frame_waits_for_it,
    frames_around_the_threshold,
    frames_of_every_size_in_one_message,
    much_in_one_call,
    frames_may_be_any_memory,
    arrived_buffers_are_writable_memory_of_their_own,
    what_has_left_may_be_changed,
    posting_to_oneself_copies,
    large_frames_cross,
    many_senders_to_one,
    one_to_many,
    one_message_to_many_goes_down_a_tree,
    departures_tell_when_memory_may_change,
    frames_land_where_the_receiver_says,
    what_there_is_no_memory_for_is_missing,
    urgent_messages_come_once_and_in_order,
    only_large_frames_are_said_to_move,
)
