"""DirectView: calling, code, data, flags, decorators. Runs in a world of any size."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from checks import raises, run_checks

from mpikernel import Client, DirectView
from mpikernel.errors import ClosedError, CompositeError, NoEnginesError, UsageError

client = Client()
everybody = client[:]
one = client[0]
COUNT = len(client)
APART = one.apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


def block_sizes(length: int) -> list[int]:
    """How many items each engine gets of so many, as documented."""
    return [length // COUNT + (index < length % COUNT) for index in range(COUNT)]


def check_client_names_its_engines() -> None:
    assert client.ids == list(range(COUNT))
    assert [view.targets for view in client] == client.ids
    assert bool(client)
    assert str(COUNT) in repr(client)


def check_targets() -> None:
    assert everybody.targets == client.ids
    assert one.targets == 0
    assert client[-1].targets == COUNT - 1
    assert client[[0]].targets == [0]
    assert client[0:1].targets == [0]
    assert client.direct_view().targets == client.ids
    assert client.direct_view([0]).targets == [0]
    assert len(everybody) == COUNT
    assert len(one) == 1


def check_an_int_target_gives_a_bare_value_and_anything_else_a_list() -> None:
    assert one.apply_sync(lambda: 3) == 3
    assert client[[0]].apply_sync(lambda: 3) == [3]
    assert everybody.apply_sync(lambda: 3) == [3] * COUNT
    assert one.apply_async(lambda: 4).get() == 4
    assert client[0:1].apply_async(lambda: 4).get() == [4]


def check_results_come_in_target_order() -> None:
    everybody.scatter("own_id", client.ids, flatten=True, block=True)
    backwards = client.ids[::-1]
    assert client[backwards].pull("own_id", block=True) == backwards
    assert client[::-1].pull("own_id", block=True) == backwards


def check_arguments_and_keywords() -> None:
    def join(first: int, *others: int, last: int = 0, **more: int) -> tuple[Any, ...]:
        return first, others, last, more

    assert one.apply_sync(join, 1, 2, 3, last=4, block=5) == (1, (2, 3), 4, {"block": 5})


def check_block_decides_what_apply_gives() -> None:
    view = client[:]
    assert view.apply(lambda: 1).get() == [1] * COUNT
    view.block = True
    assert view.apply(lambda: 1) == [1] * COUNT
    assert view.apply_async(lambda: 1).get() == [1] * COUNT
    assert client.direct_view(block=True).apply(lambda: 1) == [1] * COUNT


def check_what_is_called_need_not_be_a_function_of_the_script() -> None:
    from functools import partial
    from math import hypot

    assert one.apply_sync(hypot, 3, 4) == 5
    assert one.apply_sync(partial(hypot, 3), 4) == 5
    assert one.apply_sync("a-b".split, "-") == ["a", "b"]
    assert one.apply_sync(dict, a=1) == {"a": 1}
    assert one.apply_sync(np.add, 1, 2) == 3


def check_execute_gives_the_value_of_a_last_expression() -> None:
    assert one.execute("1 + 2", block=True) == 3
    assert everybody.execute("x = 5\nx * 2", block=True) == [10] * COUNT
    assert one.execute("y = 5", block=True) is None
    assert one.execute("for i in range(3): pass\ni", block=True) == 2
    assert one.execute("", block=True) is None
    assert one["_"] == 2
    assert one.execute("y").get() == 5


def check_execute_takes_indented_code_and_leaves_strings_alone() -> None:
    code = """
        x = 5
        if x:
            x = 6
        x
    """
    assert one.execute(code, block=True) == 6
    assert one.execute("x = '''a\n   \n  b'''\nx", block=True) == "a\n   \n  b"


def check_execute_gives_something_readable_for_what_cannot_be_pickled() -> None:
    shown = one.execute("import threading; threading.Lock()", block=True)
    assert "lock" in repr(shown)
    assert one.execute("_.acquire()", block=True) is True


def check_execute_defines_functions_and_classes_that_stay() -> None:
    one.execute("def double(x): return 2 * x\nclass Box:\n    value = 7", block=True)
    assert one.execute("double(Box.value)", block=True) == 14
    assert one.pull("Box.value", block=True) == 7


def check_run_runs_a_file_of_the_script() -> None:
    path = Path("to_run.py")
    path.write_text("ran = __name__\ndef shout(): raise ValueError('from the file')\n")
    assert one.run(path, block=True) is None
    assert one["ran"] == "__main__"
    with raises(ValueError, "from the file") as caught:
        one.execute("shout()", block=True)
    assert "to_run.py" in str(caught.error.__cause__)
    with raises(FileNotFoundError, "nowhere.py"):
        one.run("nowhere.py")


def check_push_and_pull() -> None:
    assert everybody.push({"a": 1, "b": [2]}, block=True) == [None] * COUNT
    assert everybody.push({"c": 3}).get() == [None] * COUNT
    assert everybody.pull("a", block=True) == [1] * COUNT
    assert everybody.pull(["a", "b"], block=True) == [[1, [2]]] * COUNT
    assert one.pull(("a", "c"), block=True) == [1, 3]
    assert one.pull("c").get() == 3
    assert one.get("c") == 3


def check_names_with_dots() -> None:
    one.execute("import os.path\nclass Model:\n    class Part:\n        weight = 3", block=True)
    assert one.pull("Model.Part.weight", block=True) == 3
    assert one["os.sep"] == "/"
    with raises(AttributeError, "nothing"):
        one.pull("Model.nothing", block=True)


def check_views_are_read_and_written_like_dicts() -> None:
    one["k"] = {"deep": [1, 2]}
    assert one["k"] == {"deep": [1, 2]}
    everybody["k"] = 9
    assert everybody["k"] == [9] * COUNT
    everybody.update({"k": 10}).get()
    assert everybody["k"] == [10] * COUNT


def check_names_that_are_not_there() -> None:
    with raises(NameError, "nobody_bound_this"):
        one.pull("nobody_bound_this", block=True)
    with raises(CompositeError, "nobody_bound_this"):
        everybody.pull("nobody_bound_this", block=True)


def check_bad_names_are_refused_here() -> None:
    for bad in ("", "a b", "1a", "a-b", "class", 5, "a.b"):
        with raises(UsageError, repr(bad)):
            one.push({bad: 1})
    for bad in ("", "a b", "a..b", ".a", 5):
        with raises(UsageError, repr(bad)):
            one.pull([bad])
    with raises(UsageError, "list"):
        one.push([1])


def check_keys_and_clear() -> None:
    view = client[:]
    view.clear(block=True)
    view.push({"b": 1, "a": 2}, block=True)
    bound = view.keys()
    assert [sorted(names) for names in bound] == [["a", "b"]] * COUNT
    view.execute("import os", block=True)
    bound = one.keys()
    assert "os" in bound
    view.clear(block=True)
    assert view.keys() == [[] for _ in client.ids]
    with raises(NameError, "'a'"):
        one.pull("a", block=True)
    assert one.apply_sync(len, "abc") == 3


def check_scatter_in_blocks() -> None:
    for length in (0, 1, COUNT, 2 * COUNT + 1, 10):
        everybody.scatter("part", list(range(length)), block=True)
        parts = everybody["part"]
        assert [len(part) for part in parts] == block_sizes(length)
        assert list(chain(*parts)) == list(range(length))
        assert everybody.gather("part", block=True) == list(range(length))


def check_scatter_round_robin() -> None:
    everybody.scatter("part", list(range(10)), dist="r", block=True)
    assert everybody["part"] == [list(range(index, 10, COUNT)) for index in client.ids]
    assert everybody.gather("part", dist="r", block=True) == list(range(10))


def check_scattered_arrays_stay_arrays() -> None:
    for dist in ("b", "r"):
        whole = np.arange(33, dtype=np.float32).reshape(11, 3)
        everybody.scatter("rows", whole, dist=dist, block=True)
        parts = everybody["rows"]
        assert all(isinstance(part, np.ndarray) and part.dtype == np.float32 and part.shape[1] == 3 for part in parts)
        back = everybody.gather("rows", dist=dist, block=True)
        assert isinstance(back, np.ndarray)
        assert np.array_equal(back, whole)


def check_a_scattered_part_can_be_changed_in_place() -> None:
    everybody.scatter("mine", np.zeros(100_000), block=True)
    everybody.execute("mine += 1", block=True)
    assert everybody.gather("mine", block=True).sum() == 100_000


def check_other_sequences_are_scattered() -> None:
    everybody.scatter("part", (i * i for i in range(5)), block=True)
    assert everybody.gather("part").get() == [0, 1, 4, 9, 16]
    everybody.scatter("part", tuple(range(5)), block=True)
    assert everybody.gather("part", block=True) == (0, 1, 2, 3, 4)
    everybody.scatter("part", "hello", block=True)
    assert everybody.gather("part", block=True) == "hello"


def check_flatten() -> None:
    everybody.scatter("item", client.ids, flatten=True, block=True)
    assert everybody["item"] == client.ids
    assert everybody.gather("item", block=True) == client.ids
    one.scatter("items", [1, 2], flatten=True, block=True)
    assert one["items"] == [1, 2]


def check_what_cannot_be_scattered_is_refused_here() -> None:
    with raises(UsageError, "'x'", "'b'", "'r'"):
        everybody.scatter("part", [1], dist="x")
    with raises(UsageError, "'x'"):
        everybody.gather("part", dist="x")
    with raises(UsageError, "int"):
        everybody.scatter("part", 5)
    with raises(UsageError, "dict is no sequence of rows"):  # its keys are hardly what is meant
        everybody.scatter("part", {"k": 1, "l": 2})
    with raises(UsageError, "set", "list"):
        everybody.scatter("part", {1, 2})
    with raises(UsageError, "0 dimensions"):
        everybody.scatter("part", np.array(5))
    with raises(UsageError, "a b"):
        everybody.scatter("a b", [1])


def check_arrays_survive_the_way() -> None:
    arrays = [np.arange(6, dtype=dtype).reshape(2, 3, order=order) for dtype in (np.int8, np.complex128) for order in ("C", "F")] + [
        np.empty((0, 3)),
        np.array(5.0),
        np.array(["a", "bc"]),
        np.array([None, "x"], dtype=object),
    ]
    arrays += [np.zeros(200_000), np.asfortranarray(np.arange(90_000.0).reshape(300, 300)), np.arange(100_000)[::3]]
    for array in arrays:
        one["array"] = array
        back = one["array"]
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert np.array_equal(back, array)
        if array.ndim == 2 and array.flags.f_contiguous != array.flags.c_contiguous:
            assert back.flags.f_contiguous == array.flags.f_contiguous
        if back.size and back.dtype != object:
            back[...] = back  # writable


def check_large_arrays_both_ways() -> None:
    big = np.arange(2_000_000, dtype=np.float64)
    everybody["big"] = big
    assert everybody.execute("float(big.sum())", block=True) == [float(big.sum())] * COUNT
    assert all(np.array_equal(back, big) for back in everybody["big"])


def check_map_of_a_direct_view() -> None:
    assert everybody.map_sync(lambda x: x * x, range(10)) == [x * x for x in range(10)]
    assert everybody.map_sync(lambda x, y: x - y, range(10), np.ones(10)) == [x - 1 for x in range(10)]
    assert everybody.map_sync(str, []) == []
    assert everybody.map_sync(abs, [-1]) == [1]
    assert everybody.map_sync(str, (letter for letter in "abc")) == ["a", "b", "c"]
    assert everybody.map(str, "abc").get() == ["a", "b", "c"]
    assert everybody.map(str, "abc", block=True) == ["a", "b", "c"]
    assert list(everybody.map_async(str, "abc")) == ["a", "b", "c"]
    assert one.map_sync(str, [1, 2]) == ["1", "2"]


def check_map_refuses_what_it_cannot_do() -> None:
    with raises(UsageError, "2, 3"):
        everybody.map(max, [1, 2], [1, 2, 3])
    with raises(UsageError, "sequence"):
        everybody.map(max)


def check_flags() -> None:
    view = client[:]
    view.set_flags(block=True, stream=False)
    assert view.block
    with raises(UsageError, "'no_such_flag'", "block"):
        view.set_flags(block=False, no_such_flag=1)
    assert view.block
    with view.temp_flags(block=False):
        assert not view.block
        assert view.apply(lambda: 1).get() == [1] * COUNT
    assert view.block
    with raises(ZeroDivisionError), view.temp_flags(block=False):
        raise ZeroDivisionError
    assert view.block
    with raises(UsageError, "'no_such_flag'"), view.temp_flags(no_such_flag=1):
        pass


def check_targets_can_be_changed() -> None:
    view = client[:]
    view.targets = 0
    assert view.apply_sync(lambda: 1) == 1
    with view.temp_flags(targets=[0]):
        assert view.apply_sync(lambda: 1) == [1]
    assert view.apply_sync(lambda: 1) == 1
    view.targets = "all"
    assert view.apply_sync(lambda: 1) == [1] * COUNT


def check_remote_with_and_without_parentheses() -> None:
    view = client[:]

    @view.remote
    def later(x: int) -> int:
        """Doubles."""
        return 2 * x

    @view.remote(block=True)
    def at_once(x: int) -> int:
        return 2 * x

    assert later(4).get() == [8] * COUNT
    assert at_once(4) == [8] * COUNT
    assert later.__name__ == "later"
    assert later.__doc__ == "Doubles."
    view.block = True
    assert later(4) == [8] * COUNT


def check_parallel_with_and_without_parentheses() -> None:
    view = client[:]

    @view.parallel
    def halves(part: Any) -> Any:
        return [x / 2 for x in part]

    @view.parallel(block=True, dist="r")
    def sums(left: Any, right: Any) -> Any:
        return left + right

    assert halves(range(10)).get() == [x / 2 for x in range(10)]
    assert sums(np.arange(10), np.arange(10)).tolist() == [2 * x for x in range(10)]
    assert halves.__name__ == "halves"

    @view.parallel(block=True)
    def square(x: int) -> int:
        return x * x

    assert square.map(range(7)) == [x * x for x in range(7)]


def check_sync_imports() -> None:
    view = client[:]
    view.clear(block=True)
    with view.sync_imports():
        import json
        import os.path as paths
        import xml.dom
        from collections import OrderedDict
        from collections import deque as queue
    assert set(everybody.keys()[0]) >= {"json", "paths", "xml", "OrderedDict", "queue"}
    used = one.execute("json.dumps([1]), paths.sep, xml.dom.__name__, OrderedDict(), queue([1]).pop()", block=True)
    assert used == ("[1]", "/", "xml.dom", {}, 1)
    assert (json.dumps([1]), paths.sep, xml.dom.__name__, OrderedDict(), queue([1]).pop()) == ("[1]", "/", "xml.dom", {}, 1)


def check_sync_imports_of_what_engines_lack() -> None:
    Path("only_here.py").write_text("")
    sys.path.insert(0, str(Path.cwd()))
    try:
        with raises(CompositeError, "only_here") if APART else nullcontext(), everybody.sync_imports():
            import only_here  # type: ignore[import-not-found]  # noqa: F401  # written above
    finally:
        del sys.path[0]
    import json  # the import statement works as before

    assert json.loads("1") == 1


def check_ids_that_are_not_there() -> None:
    for bad in (COUNT, -COUNT - 1, [0, COUNT], slice(COUNT, None), [], range(0)):
        with raises(NoEnginesError, "engine"):
            client[bad]
    with raises(NoEnginesError, str(COUNT)):
        one.targets = COUNT
    for bad in ("some", 1.5, True, ["0"], object()):
        with raises(UsageError):
            client[bad]
    assert one.targets == 0


def check_views_of_a_closed_client() -> None:
    with Client() as own:
        view, balanced = own[:], own.load_balanced_view()
        result = view.apply_async(lambda: 1)
    with raises(ClosedError, "closed"):
        own[:]
    for call in (view.apply, balanced.apply):
        with raises(ClosedError, "closed"):
            call(abs, 1)
    with raises(ClosedError, "closed"):
        view["a"]
    assert result.get() == [1] * COUNT
    assert one.apply_sync(lambda: 2) == 2
    assert "closed" in repr(own)


def check_views_tell_what_they_are() -> None:
    assert repr(one) == "<DirectView 0>"
    assert isinstance(everybody, DirectView)
    assert bool(everybody)


run_checks(globals())
