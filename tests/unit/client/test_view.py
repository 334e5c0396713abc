"""Views: which engines they name, their flags, and what they make of calls, in a world in one process."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel.client.client import Client
from mpikernel.client.here import find_port
from mpikernel.client.labels import label_of
from mpikernel.client.view import engine_ids
from mpikernel.errors import ClosedError, CompositeError, NoEnginesError, NoWorldError, SerializeError, UsageError
from mpikernel.testing.loopback import LoopbackWorld


@pytest.fixture
def engine_count() -> int:
    return 3


@pytest.fixture
def client(working: LoopbackWorld) -> Client:
    return Client()


# engines ----------------------------------------------------------------------------------------------------------------

counts = st.integers(1, 6)
indices = st.integers(-8, 8)
slices = st.builds(slice, st.none() | indices, st.none() | indices, st.none() | indices.filter(bool))


@given(counts, indices)
def test_an_id_is_an_index(count: int, index: int) -> None:
    if -count <= index < count:
        assert engine_ids(index, count) == [range(count)[index]]
    else:
        with pytest.raises(NoEnginesError, match=f"there is no engine {index}; there "):
            engine_ids(index, count)


@given(counts, st.lists(indices, max_size=4) | slices)
def test_several_ids_are_items_of_a_list(count: int, targets: Any) -> None:
    everybody = list(range(count))
    try:
        named = everybody[targets] if isinstance(targets, slice) else [everybody[index] for index in targets]
    except IndexError:
        named = []
    if named:
        assert engine_ids(targets, count) == named
    else:
        with pytest.raises(NoEnginesError):
            engine_ids(targets, count)


def test_everybody() -> None:
    assert engine_ids(None, 3) == engine_ids("all", 3) == [0, 1, 2]


def test_integers_of_numpy_are_ids() -> None:
    ids: Any = [numpy.int32(0), numpy.int8(-1)]
    assert engine_ids(ids[0], 3) == [0]
    assert engine_ids(ids, 3) == [0, 2]


def test_arrays_of_ids_are_ids(client: Client) -> None:
    ids: Any = numpy.array([0, -1])
    assert client[ids].targets == [0, 2]
    assert client.load_balanced_view(ids).map_sync(abs, [-1, -2]) == [1, 2]
    assert client[ids[:1]].apply_sync(abs, -1) == [1]


@pytest.mark.parametrize("targets", [True, 1.5, "0", b"all", {0}, [True], [1.0], ["all"]])
def test_what_names_no_engines(targets: Any) -> None:
    with pytest.raises(UsageError, match=r"names no engines|is not the id of an engine"):
        engine_ids(targets, 3)


@pytest.mark.parametrize("targets", [numpy.array([True]), numpy.array([[0]]), numpy.array(0.5), numpy.array(["0"])])
def test_arrays_that_name_no_engines(targets: Any) -> None:
    with pytest.raises(UsageError, match=r"names no engines|is not the id of an engine"):
        engine_ids(targets, 3)


def test_what_there_is_instead() -> None:
    with pytest.raises(NoEnginesError, match="there is no engine 7; there are engines 0 to 2"):
        engine_ids(7, 3)
    with pytest.raises(NoEnginesError, match="there is no engine 1; there is one engine, 0"):
        engine_ids(1, 1)


def test_labels() -> None:
    assert label_of(abs) == "abs"
    assert label_of(functools.partial(divmod, 1)) == "divmod"
    assert label_of(str.upper) == "str.upper"
    assert label_of(lambda: 0).endswith("<lambda>")
    assert label_of(numpy.vectorize(abs)) == "vectorize"
    with pytest.raises(UsageError, match="3 cannot be called on engines: the first argument is a function"):
        label_of(3)  # type: ignore[arg-type]  # as users do


# the client -------------------------------------------------------------------------------------------------------------


def test_without_a_world_there_is_no_client() -> None:
    with pytest.raises(NoWorldError, match=r"mpiexec -n 8 python -m mpikernel script\.py\n    ipcluster run -n 8 script\.py"):
        find_port("script.py")


def test_what_a_client_is(client: Client) -> None:
    assert (client.ids, len(client), bool(client)) == ([0, 1, 2], 3, True)
    assert [view.targets for view in client] == [0, 1, 2]
    assert [client[1].targets, client[:].targets, client[[2, 0]].targets, client[1:].targets] == [1, [0, 1, 2], [2, 0], [1, 2]]
    assert repr(client) == "<Client: 3 engines>"


def test_a_closed_client_makes_no_calls(client: Client) -> None:
    view = client[:]
    late = view.apply_async(abs, -1)
    with client:
        pass
    assert repr(client) == "<Client: 3 engines, closed>"
    for use in (client.direct_view, client.load_balanced_view, lambda: client[0], client.wait):
        with pytest.raises(ClosedError, match="this client is closed"):
            use()
    assert late.get() == [1, 1, 1]


# flags ------------------------------------------------------------------------------------------------------------------


def test_flags(client: Client) -> None:
    view = client[:]
    assert (view.block, view.stream) == (False, False)
    view.set_flags(block=True, targets=[1])
    assert view.apply(abs, -1) == [1]
    with view.temp_flags(block=False, targets=2):
        assert view.apply(abs, -2).get() == 2
    assert (view.block, view.targets) == (True, [1])


def test_flags_that_there_are_not_change_nothing(client: Client) -> None:
    view = client[:]
    with pytest.raises(UsageError, match=r"no flag 'blck' on a DirectView; did you mean block\? There are block, stream, targets"):
        view.set_flags(block=True, blck=True)
    with pytest.raises(UsageError, match="'retries'"), view.temp_flags(retries=1):
        pass
    assert view.block is False


@pytest.mark.parametrize(
    ("balanced", "name", "text"),
    [
        (True, "retrys", "no flag 'retrys' on a LoadBalancedView; did you mean retries"),
        (True, "chunksize", "no flag 'chunksize' on a LoadBalancedView; there are block, stream, retries"),
        (False, "retries", "no flag 'retries' on a DirectView; there are block, stream, targets"),
        (False, "target", "did you mean targets"),
    ],
)
def test_attributes_that_are_no_flags_are_refused(client: Client, balanced: bool, name: str, text: str) -> None:
    view: Any = client.load_balanced_view() if balanced else client[:]
    with pytest.raises(UsageError, match=text):
        setattr(view, name, 3)
    assert name not in vars(view)


@pytest.mark.parametrize("name", ["block", "stream"])
@pytest.mark.parametrize("value", ["no", 1, None, [], numpy.array([True])])
def test_what_is_neither_true_nor_false_changes_nothing(client: Client, name: str, value: Any) -> None:
    for view in (client[:], client.load_balanced_view()):
        with pytest.raises(UsageError, match=f"{name}=.* is neither True nor False"):
            setattr(view, name, value)
        with pytest.raises(UsageError, match=f"{name}=.* is neither True nor False"):
            view.set_flags(**{name: value})
        assert getattr(view, name) is False
        setattr(view, name, numpy.True_)
        assert getattr(view, name) is True


def test_flags_come_back_after_an_error(client: Client) -> None:
    view = client[:]
    with pytest.raises(KeyError), view.temp_flags(block=True):
        raise KeyError
    assert view.block is False


@pytest.mark.parametrize("retries", [-1, 1.5, True, None, "1"])
def test_retries_are_a_number(client: Client, retries: Any) -> None:
    with pytest.raises(UsageError, match="is not a number of retries"):
        client.load_balanced_view().set_flags(retries=retries)


# calls ------------------------------------------------------------------------------------------------------------------


def test_one_target_gives_bare_values_and_several_a_list(client: Client) -> None:
    assert client[1].apply_sync(abs, -1) == 1
    assert client[[1]].apply_sync(abs, -1) == [1]
    assert client[:].apply_sync(divmod, 7, 2) == [(3, 1)] * 3
    assert client.load_balanced_view().apply_sync(abs, -1) == 1


@pytest.mark.parametrize("length", [0, 1, 2, 3, 10])
def test_a_map_over_engines_keeps_order_and_spares_engines_without_items(client: Client, working: LoopbackWorld, length: int) -> None:
    result = client[:].map_async(pow, range(length), itertools.repeat(2, length))
    assert result.get() == [n**2 for n in range(length)]
    assert len(result) == min(length, 3)


def test_sequences_of_a_map_over_engines_have_one_length(client: Client) -> None:
    with pytest.raises(UsageError, match="all sequences of a map must be of one length, but these have 2, 3"):
        client[:].map_sync(pow, [1, 2], [1, 2, 3])
    for view in (client[:], client.load_balanced_view()):
        with pytest.raises(UsageError, match="map needs at least one sequence"):
            view.map_sync(pow)


@pytest.mark.parametrize("chunksize", [1, 2, 3, 7, 100])
def test_a_balanced_map_keeps_order_in_chunks_of_any_size(client: Client, chunksize: int) -> None:
    result = client.load_balanced_view().map_async(pow, range(7), itertools.repeat(2), chunksize=chunksize)
    assert result.get() == list(result) == [n**2 for n in range(7)]
    assert len(result) == -(-7 // chunksize)


@pytest.mark.parametrize("chunksize", [0, -1, 1.5, True])
def test_chunks_have_items(client: Client, chunksize: Any) -> None:
    with pytest.raises(UsageError, match="makes no sense: it is an integer, 1 or more"):
        client.load_balanced_view().map(abs, [1], chunksize=chunksize)


@pytest.mark.parametrize("chunksize", [2**62 + 1, 2**63, 2**70])
@pytest.mark.parametrize("buffersize", [None, 2**64])
def test_a_chunk_of_more_than_anything_has_takes_all_in_one(client: Client, chunksize: int, buffersize: int | None) -> None:
    view = client.load_balanced_view()
    result = view.map_async(abs, range(-20, 0), chunksize=chunksize, buffersize=buffersize)
    assert (result.get(10), len(result)) == (list(range(20, 0, -1)), 1)
    assert list(view.imap(abs, iter([-1, -2]), chunksize=chunksize, buffersize=buffersize)) == [1, 2]


def test_counts_may_be_integers_of_numpy(client: Client) -> None:
    view, two = client.load_balanced_view(), numpy.int64(2)
    assert len(view.map_async(abs, range(7), chunksize=two, buffersize=two)) == 4  # type: ignore[arg-type]  # as users do
    assert list(view.imap(abs, range(5), max_outstanding=two)) == [0, 1, 2, 3, 4]  # type: ignore[arg-type]  # as users do


@pytest.mark.parametrize("count", ["2", 1.5, 0])
def test_max_outstanding_is_a_count(client: Client, count: Any) -> None:
    with pytest.raises(UsageError, match=r"max_outstanding=.* makes no sense: it is an integer, 1 or more"):
        client.load_balanced_view().imap(abs, [1], max_outstanding=count)


@pytest.mark.parametrize("sequence", [5, None, abs])
def test_what_has_no_items_cannot_be_mapped(client: Client, sequence: Any) -> None:
    with pytest.raises(UsageError, match="is no sequence: a map takes the function, and for each of its arguments a sequence"):
        client.load_balanced_view().map_sync(abs, sequence)
    with pytest.raises(UsageError, match="is no sequence"):
        client.load_balanced_view().map_sync(abs, sequence, progress=True)
    with pytest.raises(UsageError, match="is no sequence"):
        client[:].map_sync(abs, sequence)


@pytest.mark.parametrize("chunksize", [None, 1, 3, 100])
@pytest.mark.parametrize("view", ["several", "one"])
def test_an_item_that_cannot_be_sent_is_named(client: Client, chunksize: int | None, view: str) -> None:
    items: list[Any] = [*range(10), threading.Lock(), 11]
    columns = [items] if view == "one" else [items, range(12)]
    with pytest.raises(SerializeError, match=r"item 10 of the map: .*cannot pickle '_thread.lock' object"):
        client.load_balanced_view().map_sync(max, *columns, chunksize=chunksize)


def test_balanced_calls_go_to_their_targets(client: Client) -> None:
    view = client.load_balanced_view(targets=[0, 2])
    result = view.map_async(abs, range(20))
    assert result.get() == list(range(20))
    assert set(result.engine_id) == {0, 2}


def test_imap_reads_only_as_far_as_it_must(client: Client) -> None:
    read: list[int] = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    values = client.load_balanced_view().imap(abs, endless(), max_outstanding=4)
    assert [next(values) for _ in range(10)] == list(range(10))
    assert len(read) <= 10 + 4


@pytest.mark.parametrize("ordered", [True, False])
def test_imap_brings_everything(client: Client, ordered: bool) -> None:
    values = list(client.load_balanced_view().imap(abs, range(-20, 0), ordered=ordered, chunksize=3))
    assert sorted(values) == list(range(1, 21))
    if ordered:
        assert values == list(range(20, 0, -1))


def test_imap_may_give_exceptions_in_place_of_values(client: Client) -> None:
    values = list(client.load_balanced_view().imap(divmod, [7, 7, 8], [2, 0, 4], return_exceptions=True))
    assert (values[0], values[2]) == ((3, 1), (2, 0))
    assert isinstance(values[1], ZeroDivisionError)


def test_a_failed_item_is_the_error_of_its_chunk(client: Client) -> None:
    result = client.load_balanced_view().map_async(divmod, [7, 7, 8], [2, 0, 4])
    with pytest.raises(CompositeError, match="divmod failed in 1 of 3 calls"):
        result.get()


def test_waiting_for_everything(client: Client) -> None:
    results = [client[0].apply_async(abs, -1), client.load_balanced_view().apply_async(abs, -2)]
    assert client.wait(results)
    assert client.wait()
    assert [result.get() for result in results] == [1, 2]
