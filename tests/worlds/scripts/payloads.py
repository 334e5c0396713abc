"""What travels arrives as it was, whatever it is and wherever it stands; references, and payloads that were made before. For any world."""

from __future__ import annotations

import array
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from checks import raises, run_checks

from mpikernel import Client, Reference, Serialized, serialize
from mpikernel.errors import CompositeError, SerializeError, UsageError

client = Client()
everybody = client[:]
one = client[0]
last = client[-1]
balanced = client.load_balanced_view()
COUNT = len(client)
APART = one.apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own

BIG = 1 << 16  # items of eight bytes
grid = np.arange(float(BIG)).reshape(64, 64, -1)
records = np.zeros(BIG, [("when", "M8[us]"), ("name", "S3"), ("value", ">f4")])
locked = grid.copy()
locked.flags.writeable = False

ARRAYS: dict[str, Any] = {
    "c": grid,
    "f": np.asfortranarray(grid),
    "axes": grid.transpose(1, 2, 0),
    "cut": grid[::2, :, ::-1],
    "repeated": np.broadcast_to(grid[0], (3, *grid[0].shape)),
    "dates": np.arange(BIG).astype("M8[ns]"),
    "one date": np.array("2026-01-01", "M8[D]"),
    "records": records,
    "complex": grid * 1j,
    "text": np.array(["häß", "b"] * 1000),
    "locked": locked,
    "nothing": np.zeros((3, 0)),
    "number": np.array(2.5),
    "matrix": grid[0].view(np.matrix),
    "masked": np.ma.masked_less(grid, 100),
}
BLOCKS: dict[str, Any] = {
    "bytes": os.urandom(1 << 20),
    "bytearray": bytearray(os.urandom(1 << 20)),
    "text": "häß" * (1 << 18),
    "packed": array.array("d", range(BIG)),
}


@dataclass
class Model:
    weights: Any
    parts: list[Any]
    name: str = "model"


def described(value: Any) -> tuple[Any, ...]:
    """What must be the same of an array everywhere."""
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    return type(value).__name__, value.dtype.str, value.dtype.descr, value.shape, value.tobytes(), fortran


def check_arrays_as_arguments_and_results() -> None:
    def back(value: Any) -> Any:
        assert value.flags.writeable
        return described(value), value

    for kind, sent in ARRAYS.items():
        for there, arrived in everybody.apply_sync(back, sent):
            assert there == described(sent), kind
            assert described(arrived) == described(sent), kind
            assert arrived.flags.writeable, kind


def check_arrays_pushed_and_pulled() -> None:
    everybody.push({"arrays": ARRAYS}, block=True)
    for arrived in everybody.pull("arrays", block=True):
        assert {kind: described(value) for kind, value in arrived.items()} == {kind: described(value) for kind, value in ARRAYS.items()}


def check_other_blocks_of_memory_at_any_depth() -> None:
    sent = {"a": [BLOCKS, (list(BLOCKS.values()), 3)], "b": Model(b"x" * BIG, [BLOCKS["bytes"]])}
    arrived = one.apply_sync(lambda value: value, sent)
    assert arrived == sent
    assert arrived["a"][0]["bytes"] is arrived["a"][1][0][0]


def check_views_arrive_as_views() -> None:
    for view in (memoryview(BLOCKS["bytes"]), memoryview(grid), memoryview(BLOCKS["bytearray"])[::3]):
        arrived = one.apply_sync(lambda view: view, view)
        assert (type(arrived), arrived.format, arrived.shape, arrived.readonly) == (memoryview, view.format, view.shape, False)
        assert arrived.tobytes() == view.tobytes()


def check_objects_of_the_script_hold_arrays() -> None:
    sent = Model(grid, [Model(locked, [], "inner"), {"f": ARRAYS["f"]}])
    arrived = one.apply_sync(lambda model: model, sent)
    assert isinstance(arrived, Model)
    assert described(arrived.weights) == described(grid)
    assert described(arrived.parts[0].weights) == described(locked)
    assert described(arrived.parts[1]["f"]) == described(ARRAYS["f"])


class Greedy:
    """Something that there is no memory for."""

    def __reduce__(self) -> Any:
        raise MemoryError


class GreedyThere:
    """Something that there is no memory for where it arrives."""

    def __reduce__(self) -> Any:
        return bytearray, (1 << 62,)


def check_what_there_is_no_memory_for_is_named() -> None:
    with raises(SerializeError, "the arguments of len cannot be pickled", "MemoryError", "not enough memory"):
        one.apply_sync(len, Greedy())
    with raises(SerializeError, "the arguments of len cannot be rebuilt here", "MemoryError", "not enough memory"):
        one.apply_sync(len, GreedyThere())
    with raises(SerializeError, "the result of", "cannot be pickled", "not enough memory"):
        one.apply_sync(lambda: Greedy())
    with raises(SerializeError, "the result of", "cannot be rebuilt here", "not enough memory"):
        one.apply_sync(lambda: GreedyThere())
    assert one.apply_sync(len, "abc") == 3


# references -----------------------------------------------------------------------------------------------------------------


def check_references_at_any_depth() -> None:
    everybody.scatter("own", client.ids, flatten=True, block=True)
    everybody.push({"x": [grid, "text"]}, block=True)

    def told(values: Any, *, keyword: Any) -> Any:
        return values["a"][0][1], values["b"].weights, values["b"].parts[0], keyword

    sent = {"a": [(0, Reference("own"))], "b": Model(Reference("x[0].shape"), [Reference("len(x)")])}
    assert everybody.apply_sync(told, sent, keyword=Reference("x[1].upper()")) == [(number, grid.shape, 2, "TEXT") for number in client.ids]


def check_references_beside_large_values() -> None:
    one.push({"x": 7}, block=True)
    filler = list(range(1000, 200_000))
    values = [BLOCKS["bytes"], Reference("x"), grid, filler, Reference("x + 1")]
    assert one.apply_sync(lambda values: (values[1], values[4], len(values[0])), values) == (7, 8, 1 << 20)


def check_references_in_maps_and_tasks() -> None:
    everybody.push({"x": 10}, block=True)
    assert everybody.map_sync(lambda pair: pair[0] + pair[1], [(Reference("x"), number) for number in range(7)]) == list(range(10, 17))
    assert balanced.map_sync(lambda a, b: a[0] + b, [[Reference("x")]] * 5, range(5)) == list(range(10, 15))
    assert balanced.apply_sync(lambda values, more: values["x"] + more, {"x": Reference("x")}, more=Reference("x")) == 20


def check_a_push_of_a_reference_binds_what_it_means() -> None:
    everybody.scatter("own", client.ids, flatten=True, block=True)
    everybody.push({"twice": [Reference("own"), Reference("own * 2")], "same": Reference("own")}, block=True)
    assert everybody.pull("twice", block=True) == [[number, 2 * number] for number in client.ids]
    assert everybody.pull("same", block=True) == client.ids


def check_a_reference_to_nothing_is_named() -> None:
    with raises(NameError, "Reference('no_such.name') cannot be resolved on this engine", "NameError"):
        one.apply_sync(len, [Reference("no_such.name")])
    with raises(NameError, "Reference('no_such') cannot be resolved on this engine"):
        one.push({"y": {"a": Reference("no_such")}}, block=True)


# payloads that were made before -----------------------------------------------------------------------------------------


class Counted:
    """Counts how often it is pickled."""

    times = 0

    def __reduce__(self) -> Any:
        type(self).times += 1
        return int, ("42",)


def check_a_payload_is_made_once_and_pushed_many_times() -> None:
    payload = serialize({"x": [grid, Counted()], "b": BLOCKS["bytes"]})
    for name in ("a", "b"):
        everybody.push_serialized({name: payload, "c": serialize(name)}, block=True)
        assert everybody.pull("c", block=True) == [name] * COUNT
    assert Counted.times == 1
    for arrived in [*everybody.pull("a", block=True), *everybody.pull("b", block=True)]:
        assert described(arrived["x"][0]) == described(grid)
        assert arrived["x"][1] == 42
        assert arrived["b"] == BLOCKS["bytes"]


def check_later_changes_of_an_array_are_part_of_later_pushes() -> None:
    values = np.zeros(BIG)
    payload = serialize(values)
    one.push_serialized({"early": payload}, block=True)
    values[:] = 1
    one.push_serialized({"late": payload}, block=True)
    assert one.apply_sync(lambda a, b: (a.sum(), b.sum()), Reference("early"), Reference("late")) == (0, BIG)


def check_what_was_pulled_is_passed_on_unopened() -> None:
    one.execute("import numpy; table = {'a': numpy.arange(300_000.0), 'n': 1}", block=True)
    pulled = one.pull_serialized("table", block=True)
    assert isinstance(pulled, Serialized)
    assert 2_400_000 < len(pulled) < 2_500_000
    assert "table" in repr(pulled)
    everybody.push_serialized({"copy": pulled}, block=True)
    assert (
        everybody.apply_sync(lambda table: (table["a"].sum(), table["a"].flags.writeable), Reference("copy"))
        == [(np.arange(300_000.0).sum(), True)] * COUNT
    )
    again = last.pull_serialized("copy", block=True)
    assert again.load()["n"] == 1


def check_shapes_of_what_is_pulled_serialized() -> None:
    everybody.scatter("own", client.ids, flatten=True, block=True)
    everybody.push({"x": "text"}, block=True)
    assert one.pull_serialized("own").get().load() == 0
    assert [value.load() for value in one.pull_serialized(["own", "x"], block=True)] == [0, "text"]
    assert [value.load() for value in everybody.pull_serialized("own", block=True)] == client.ids
    rows = everybody.pull_serialized(["own", "x"], block=True)
    assert [[value.load() for value in row] for row in rows] == [[number, "text"] for number in client.ids]
    with raises(NameError, "no_such"):
        one.pull_serialized("no_such", block=True)
    with raises(CompositeError, "no_such"):
        everybody.pull_serialized(["own", "no_such"], block=True)


def check_values_that_are_opened_share_no_memory() -> None:
    values = np.zeros(BIG)
    payload = serialize([values])
    first, second = payload.load()[0], payload.load()[0]
    first[:] = 1
    assert (second.sum(), values.sum()) == (0, 0)
    one.push_serialized({"x": payload}, block=True)
    pulled = one.pull_serialized("x", block=True)
    pulled.load()[0][:] = 1
    assert pulled.load()[0].sum() == 0


def scaled(value: Any) -> Any:
    return value * FACTOR


FACTOR = 3


def check_functions_and_classes_of_the_script_inside() -> None:
    payload = serialize({"f": scaled, "model": Model(grid, [1])})
    one.push_serialized({"made": payload}, block=True)
    pulled = one.pull_serialized("made", block=True)
    everybody.push_serialized({"made": pulled}, block=True)
    everybody.execute("answer = made['f'](len(made['model'].parts))", block=True)
    assert everybody.pull("answer", block=True) == [3] * COUNT
    assert everybody.apply_sync(lambda made: type(made["model"]).__name__, Reference("made")) == ["Model"] * COUNT
    if APART:
        everybody.push({"FACTOR": 5}, block=True)
        everybody.execute("answer = made['f'](1); del FACTOR", block=True)
        assert everybody.pull("answer", block=True) == [5] * COUNT
    opened = pulled.load()
    assert opened["f"](2) == 6
    assert isinstance(opened["model"], Model)


def check_a_payload_holds_references() -> None:
    everybody.scatter("own", client.ids, flatten=True, block=True)
    everybody.push_serialized({"mine": serialize([Reference("own"), grid])}, block=True)
    assert everybody.apply_sync(lambda mine: mine[0], Reference("mine")) == client.ids


def check_a_payload_is_an_argument_like_any_other() -> None:
    assert described(one.apply_sync(lambda payload: payload.load()["x"], serialize({"x": grid}))) == described(grid)
    back = one.apply_sync(lambda payload: payload, serialize(BLOCKS["bytes"]))
    assert back.load() == BLOCKS["bytes"]


def check_what_is_not_serialized_is_refused() -> None:
    with raises(UsageError, "what is to be pushed as x is not Serialized, but of type list: use push, or serialize() it first"):
        one.push_serialized({"x": [1]})
    with raises(UsageError, "takes a dict"):
        one.push_serialized(serialize(1))
    with raises(UsageError, "identifier"):
        one.push_serialized({"a b": serialize(1)})
    with raises(SerializeError, "the serialized generator cannot be pickled"):
        serialize(number for number in range(3))


run_checks(globals())
