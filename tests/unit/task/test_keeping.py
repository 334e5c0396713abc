"""What tasks call goes to the ledger: once for a batch, once for what calls share, and no more than may be kept."""

from __future__ import annotations

from array import array

import msgspec

from mpikernel.interfaces.task.keeping import Keeping
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.wire.envelope import Missing, Parcel
from mpikernel.wire.messages import Note, Submit, SubmitBatch, SubmitFunction
from mpikernel.wire.mirror import CAPACITY
from mpikernel.wire.notebook import GATHER
from mpikernel.wire.terms import PLAIN, Needs, Terms
from tests.unit.task.bench import CLIENT, CONTROLLER, Bench

NEEDS = Needs((), True, True, False, True, "", ())
ON_PAPER = msgspec.msgpack.encode(PLAIN)


def keeping(limit: int = 100, room: int = 1000) -> Bench:
    bench = Bench()
    bench.state.keeping = Keeping(limit, room)
    return bench


def kept(bench: Bench) -> tuple[list[KeptShared], list[KeptCall], list[bytes]]:
    """What the controller was told since the last time, and the frames."""
    bench.pass_time(GATHER)
    notes = [parcel for parcel in bench.out.take(CONTROLLER) if isinstance(parcel.message, Note)]
    return _all(notes, "kept_shared"), _all(notes, "kept_calls"), [bytes(frame) for note in notes for frame in note.frames]


def _all(notes: list[Parcel], field: str) -> list:  # type: ignore[type-arg]  # of one kind or the other
    return [each for note in notes for each in getattr(note.message, field)]


def submit(bench: Bench, number: int, terms: Terms = PLAIN, arguments: tuple[bytes, ...] = (b"args",), named: tuple = ()) -> None:  # type: ignore[type-arg]  # as of Submit
    bench.react(CLIENT, Submit(number, b"f", 1, "f", 5.0, True, terms, 0, named), [b"code", *arguments])


def test_a_task_and_its_function_which_is_told_of_once() -> None:
    bench = keeping()
    submit(bench, 7, arguments=(b"pickle", b"buffer"))
    call = KeptCall(7, 1, b"f", "f", ON_PAPER, stream=True, size=12, parts=2)
    assert kept(bench) == ([KeptShared(b"f", 4, 1)], [call], [b"code", b"pickle", b"buffer"])
    submit(bench, 8)
    shared, [call], frames = kept(bench)
    assert (shared, call.first, frames) == ([], 8, [b"args"])


def test_a_batch_is_one_call() -> None:
    bench = keeping()
    ends = array("I", range(2, 22, 2)).tobytes()
    bench.react(CLIENT, SubmitBatch(10, 10, b"f", 1, "f", 5.0, ends, PLAIN, 0), [b"code", b"xy" * 10])
    _, calls, frames = kept(bench)
    assert calls == [KeptCall(10, 10, b"f", "f", ON_PAPER, ends=ends, size=20, parts=1)]
    assert frames == [b"code", b"xy" * 10]


def test_terms_without_what_is_depended_on_and_with_a_recovery() -> None:
    bench = keeping()
    bench.react(CLIENT, SubmitFunction(b"g"), [b"mending code"])
    submit(bench, 7, Terms(retries=3, after=NEEDS, follow=NEEDS, recovery=b"g"))
    shared, [call], frames = kept(bench)
    assert shared == [KeptShared(b"f", 4, 1), KeptShared(b"g", 12, 1)]
    assert msgspec.msgpack.decode(call.terms, type=Terms) == Terms(retries=3, recovery=b"g")
    assert frames == [b"code", b"mending code", b"args"]


def test_of_what_is_too_much_only_how_much_it_was() -> None:
    bench = keeping(limit=10, room=25)
    submit(bench, 1, arguments=(b"x" * 11,))
    submit(bench, 2, arguments=(b"x" * 10,))
    submit(bench, 3, arguments=(b"x" * 10,))
    submit(bench, 4, arguments=(b"x" * 10,))
    _, calls, frames = kept(bench)
    assert [(call.size, call.parts) for call in calls] == [(11, 0), (10, 1), (10, 1), (10, 0)]
    assert frames == [b"code", b"x" * 10, b"x" * 10]


def test_arguments_that_have_names_are_told_of_once() -> None:
    bench = keeping(limit=50)
    for number in (1, 2):
        submit(bench, number, arguments=(b"pickle", b"x" * 40), named=((1, b"name"),))
    shared, calls, frames = kept(bench)
    assert shared == [KeptShared(b"f", 4, 1), KeptShared(b"name", 40, 1)]
    assert [(call.named, call.size, call.parts) for call in calls] == [(((1, b"name"),), 6, 2)] * 2
    assert frames == [b"code", b"x" * 40, b"pickle", b"", b"pickle", b""]


def test_what_is_shared_is_told_of_once_however_much_there_is() -> None:
    """Told of once more it would take room again; and, where there is none left, cost the ledger what it has."""
    bench = keeping(limit=100, room=CAPACITY + 100)
    notes, state = bench.state.notes, bench.state.keeping
    for number in range(CAPACITY + 1):
        state.shared(notes, b"%d" % number, [b"x"], 0.0)
    state.shared(notes, b"0", [b"x"], 0.0)
    assert state.room == 99
    assert [shared.parts for shared, _ in notes.shared if shared.name == b"0"] == [1]


def test_nothing_where_that_is_said_and_nothing_of_what_was_refused() -> None:
    bench = keeping(limit=0)
    submit(bench, 1)
    assert kept(bench) == ([], [], [])
    bench = keeping()
    bench.react(CLIENT, Submit(7, b"f", 1, "f", 5.0, False, PLAIN, 0), [b"code", Missing(b"no memory")])
    assert kept(bench) == ([], [], [])
