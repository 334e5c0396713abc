"""What functions and classes of the script mean on engines: globals, helpers, closures, classes, references. For worlds of any size."""

from __future__ import annotations

import collections
import enum
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import beside
import numpy as np
from beside import Point, mirrored
from checks import raises, run_checks

from mpikernel import Client, Reference
from mpikernel.errors import MpikernelError

client = Client()
everybody = client[:]
one = client[0]
balanced = client.load_balanced_view()
COUNT = len(client)
APART = one.apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own

factor = 10
names: list[str] = ["a"]


@dataclass
class Vector:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)

    def length(self) -> float:
        return float(np.hypot(self.x, self.y))

    @classmethod
    def unit(cls) -> Vector:
        return cls(1.0)

    @property
    def doubled(self) -> Vector:
        return Vector(2 * self.x, 2 * self.y)


class Shape(ABC):
    sides = 0

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def area(self) -> float: ...

    def describe(self) -> str:
        return f"{self.name} of {self.sides} sides"


class Square(Shape):
    sides = 4

    def __init__(self, side: float) -> None:
        super().__init__("square")
        self.side = side

    def area(self) -> float:
        return self.side**2


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Pair(NamedTuple):
    left: int
    right: int


class ScriptError(Exception):
    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text, code)
        self.code = code


def helper(x: int) -> int:
    return x + factor


def uses_helper(x: int) -> int:
    return helper(helper(x))


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


def is_even(n: int) -> bool:
    return n == 0 or is_odd(n - 1)


def is_odd(n: int) -> bool:
    return n != 0 and is_even(n - 1)


def with_defaults(a: int, b: int = 2, *, c: int = factor) -> tuple[int, int, int]:
    return a, b, c


@lru_cache
def cached(x: int) -> int:
    return x + factor


@cache
def fibonacci(n: int) -> int:
    """Without its cache this would take for ever."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def check_globals_of_the_script_are_captured() -> None:
    assert one.apply_sync(helper, 1) == 11
    assert one.apply_sync(uses_helper, 1) == 21
    assert everybody.map_sync(uses_helper, range(3)) == [20, 21, 22]
    assert balanced.map_sync(uses_helper, range(3)) == [20, 21, 22]


def check_a_global_that_changed_is_captured_as_it_is_now() -> None:
    global factor
    before = factor
    try:
        factor = 100
        assert one.apply_sync(helper, 1) == 101
        assert one.apply_sync(uses_helper, 1) == 201
        assert balanced.map_sync(helper, [1]) == [101]
        names.append("b")
        assert one.apply_sync(lambda: names) == ["a", "b"]
        names.append("c")
        assert one.apply_sync(lambda: list(names)) == ["a", "b", "c"]
        assert balanced.apply_sync(read_names) == ["a", "b", "c"]
        names.clear()
        assert balanced.apply_sync(read_names) == []
    finally:
        factor = before


def read_names() -> list[str]:
    return list(names)


def check_a_helper_that_was_redefined_is_the_new_one() -> None:
    global helper
    before = helper
    try:
        assert one.apply_sync(uses_helper, 1) == 21
        helper = abs  # type: ignore[assignment]
        assert one.apply_sync(uses_helper, -1) == 1
    finally:
        helper = before
    assert one.apply_sync(uses_helper, 1) == 21


def check_a_mutable_default_and_attributes_travel_as_they_are_now() -> None:
    def collects(x: int, found: list[int] = []) -> list[int]:  # noqa: B006  # the very thing
        return [*found, x]

    assert one.apply_sync(collects, 1) == [1]
    collects.__defaults__[0].append(5)  # type: ignore[index]
    assert one.apply_sync(collects, 1) == [5, 1]
    collects.note = "kept"  # type: ignore[attr-defined]
    assert one.apply_sync(lambda f: f.note, collects) == "kept"


def check_the_engines_own_names_come_first() -> None:
    one.push({"factor": 1000}, block=True)
    assert one.apply_sync(helper, 1) == 1001
    one.execute("del factor", block=True)
    assert one.apply_sync(helper, 1) == 11
    everybody.scatter("factor", client.ids, flatten=True, block=True)
    assert everybody.apply_sync(helper, 0) == client.ids
    everybody.clear(block=True)
    assert everybody.apply_sync(helper, 0) == [10] * COUNT


def check_names_that_only_engines_have() -> None:
    everybody["only_there"] = 5
    assert everybody.apply_sync(lambda: only_there * 2) == [10] * COUNT  # noqa: F821
    everybody.execute("def there(x): return x + only_there", block=True)
    assert one.apply_sync(lambda: there(1)) == 6  # type: ignore[name-defined]  # noqa: F821
    with raises(NameError, "nobody_has_this"):
        one.apply_sync(lambda: nobody_has_this)  # noqa: F821


def set_counter(value: int) -> None:
    global counter
    counter = value


def add_to_counter() -> int:
    global counter
    counter += 1
    return counter


def check_global_statements_write_the_engines_namespace() -> None:
    one.apply_sync(set_counter, 5)
    assert one["counter"] == 5
    assert [one.apply_sync(add_to_counter) for _ in range(3)] == [6, 7, 8]
    assert one["counter"] == 8
    assert "counter" not in globals()
    with raises(NameError, "counter"):
        one.execute("del counter", block=True)
        one.apply_sync(add_to_counter)


def check_captured_names_are_no_names_of_the_engine() -> None:
    everybody.clear(block=True)
    one.apply_sync(uses_helper, 1)
    assert one.keys() == []
    one.execute("import math\nclass Own: pass", block=True)
    assert sorted(one.keys()) == ["Own", "math"]


def check_imports_of_the_script_work_inside_of_functions() -> None:
    assert one.apply_sync(lambda: np.arange(3).sum()) == 3
    assert one.apply_sync(lambda: os.path.sep) == "/"
    assert one.apply_sync(lambda: collections.Counter("aab")) == {"a": 2, "b": 1}


def check_recursion() -> None:
    assert one.apply_sync(factorial, 20) == 2432902008176640000
    assert everybody.apply_sync(is_even, 9) == [False] * COUNT

    def local(n: int) -> int:
        return 0 if n == 0 else 1 + local(n - 1)

    assert one.apply_sync(local, 9) == 9


def check_closures() -> None:
    def adder(amount: int) -> Any:
        def add(x: int) -> int:
            return x + amount

        return add

    assert one.apply_sync(adder(3), 1) == 4
    amount = 7
    assert balanced.map_sync(lambda x: x + amount, [1, 2]) == [8, 9]
    amount = 8
    assert balanced.map_sync(lambda x: x + amount, [1, 2]) == [9, 10]
    assert [one.apply_sync(lambda x=x: x * x) for x in range(4)] == [0, 1, 4, 9]
    made = one.apply_sync(adder, 5)
    assert made(1) == 6


def check_other_callables() -> None:
    assert one.apply_sync(with_defaults, 1, c=3) == (1, 2, 3)
    assert one.apply_sync(partial(with_defaults, 5), b=6) == (5, 6, 10)
    assert one.apply_sync(Vector(3, 4).length) == 5
    assert one.apply_sync(Vector.unit) == Vector(1.0)
    assert one.apply_sync(Vector, 1, 2) == Vector(1, 2)
    assert one.apply_sync(lambda f: f(2), lambda x: x + factor) == 12


def check_cached_functions() -> None:
    assert one.apply_sync(cached, 1) == 11
    assert one.apply_sync(fibonacci, 90) == 2880067194370816120
    assert balanced.map_sync(lambda n: fibonacci(n), [80, 81]) == [23416728348467685, 37889062373143906]
    back = one.apply_sync(lambda: fibonacci)
    assert (back.__name__, back.__doc__, back.cache_parameters()["maxsize"]) == ("fibonacci", fibonacci.__doc__, None)
    assert back(30) == 832040


def check_functions_in_arguments_and_results() -> None:
    one.push({"f": uses_helper, "table": {"k": [factorial]}}, block=True)
    assert one.execute("f(1), table['k'][0](5)", block=True) == (21, 120)
    back = one["f"]
    assert back(1) == 21
    assert one.apply_sync(lambda: [lambda x: x + factor])[0](1) == 11


def check_instances_of_the_scripts_classes_come_back_as_what_they_are() -> None:
    there_and_back = one.apply_sync(lambda v: v.doubled, Vector(1, 2, ["t"]))
    assert type(there_and_back) is Vector
    assert there_and_back == Vector(2, 4)
    made_there = everybody.apply_sync(lambda: Vector(1))
    assert all(type(vector) is Vector for vector in made_there)
    square = one.apply_sync(Square, 3)
    assert type(square) is Square
    assert isinstance(square, Shape)
    assert (square.area(), square.describe()) == (9, "square of 4 sides")
    assert one.apply_sync(lambda s: (isinstance(s, Shape), type(s) is Square, s.area()), square) == (True, True, 9)


def check_enums_and_named_tuples() -> None:
    assert one.apply_sync(lambda: Colour.RED) is Colour.RED
    assert one.apply_sync(lambda c: c is Colour.BLUE, Colour.BLUE) is True
    assert one.apply_sync(lambda p: Pair(p.right, p.left), Pair(1, 2)) == Pair(2, 1)
    assert type(one.apply_sync(Pair, 1, 2)) is Pair


def check_pushed_classes_are_the_same_class_later() -> None:
    one.push({"v": Vector(1, 2)}, block=True)
    assert one.apply_sync(lambda: isinstance(v, Vector)) is True  # noqa: F821
    assert one.apply_sync(lambda w: type(w) is type(v), Vector(3)) is True  # noqa: F821
    assert one["v"] == Vector(1, 2)


def check_exceptions_of_the_script_are_caught_as_what_they_are() -> None:
    def refuse() -> None:
        raise ScriptError("refused", 7)

    with raises(ScriptError, "refused") as caught:
        one.apply_sync(refuse)
    assert caught.error.code == 7
    with raises(ScriptError, "refused"):
        balanced.apply_sync(refuse)


def check_modules_beside_the_script_are_imported_there() -> None:
    assert one.apply_sync(beside.scaled, 2) == 6
    assert one.apply_sync(lambda: beside.SCALE) == 3
    assert one.apply_sync(mirrored, Point(1, 2)) == Point(2, 1)
    assert type(one.apply_sync(Point, 1, 2)) is Point
    assert one.execute("import beside; beside.Point(1, 2)", block=True) == Point(1, 2)
    with raises(Exception, "tried x 2"):
        one.apply_sync(raise_unlucky)


def check_functions_made_by_a_module_see_what_it_holds_now() -> None:
    scaler = beside.make_scaler()
    assert one.apply_sync(scaler, 2) == 6
    try:
        beside.SCALE = 5
        assert one.apply_sync(scaler, 2) == 10
    finally:
        beside.SCALE = 3


def raise_unlucky() -> None:
    raise beside.Unlucky("tried", 2)


def check_references() -> None:
    everybody.scatter("own", list(range(10, 10 + COUNT)), flatten=True, block=True)
    assert everybody.apply_sync(lambda x: x + 1, Reference("own")) == list(range(11, 11 + COUNT))
    assert everybody.apply_sync(lambda x, y=0: x + y, 1, y=Reference("own")) == list(range(11, 11 + COUNT))
    one.execute("class Box: value = [4, 5]", block=True)
    assert one.apply_sync(abs, Reference("Box.value[0]")) == 4
    assert one.apply_sync(sum, [Reference("own"), 1]) == 11
    one.push({"alias": Reference("own")}, block=True)
    assert one["alias"] == 10
    one.execute("own = [0]", block=True)
    one.apply_sync(lambda x: x.append(1), Reference("own"))
    assert one["own"] == [0, 1]
    with raises((MpikernelError, NameError), "nobody_bound_this"):  # type: ignore[arg-type]
        one.apply_sync(abs, Reference("nobody_bound_this"))
    with raises(TypeError):
        Reference(5)  # type: ignore[arg-type]


def check_main_on_the_engine() -> None:
    assert one.execute("__name__", block=True) == "__main__"
    assert one.apply_sync(lambda: __name__) == "__main__"
    if APART:
        one.execute("import __main__, pickle\nclass Local:\n    pass", block=True)
        assert one.execute("type(pickle.loads(pickle.dumps(Local()))) is Local", block=True) is True
        assert one.execute("__main__.Local is Local", block=True) is True


def check_many_functions() -> None:
    """More than engines and client remember of each other."""
    makers = [eval(f"lambda x: x + {number}") for number in range(1200)]
    assert [result.get() for result in [one.apply_async(make, 1) for make in makers]] == list(range(1, 1201))
    assert one.apply_sync(makers[0], 1) == 1
    assert balanced.apply_sync(makers[0], 1) == 1


def check_functions_with_large_captured_data() -> None:
    table = np.arange(200_000)
    assert one.apply_sync(lambda: int(table.sum())) == int(table.sum())
    table[0] = 5
    assert one.apply_sync(lambda: int(table[0])) == 5


run_checks(globals())
