"""Functions of the script on an engine: what they are made of, and what their global names mean there."""

from __future__ import annotations

import asyncio
import functools
import gc
import operator
import textwrap
import weakref
from typing import Any

import numpy
import pytest

from mpikernel.errors import MissingNameError, SerializeError
from mpikernel.wire.functions import Reference, establish, new_namespace
from mpikernel.wire.payload import Frames, dump, load, load_function, size


class Script:
    """A user's script, run: its names are attributes."""

    def __init__(self, source: str) -> None:
        self.__dict__["space"] = {"__name__": "__main__"}
        exec(textwrap.dedent(source), self.space)

    def __getattr__(self, name: str) -> Any:
        return self.space[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self.space[name] = value


class Engine:
    """An engine's namespace, and calls in it as the engine makes them."""

    def __init__(self, **pushed: Any) -> None:
        self.space = new_namespace()
        self.space.update(pushed)

    def receive(self, function: Any) -> Any:
        """Rebuild a function; what comes back is called as often as one likes."""
        return self.rebuild(dump(function))

    def rebuild(self, frames: Frames) -> Any:
        call, captured = load_function(frames, self.space, "f")

        def run(*args: Any, **kwargs: Any) -> Any:
            establish(self.space, captured)
            return call(*args, **kwargs)

        return run

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        return self.receive(function)(*args, **kwargs)


def test_it_goes_by_value_with_everything_that_it_is_made_of() -> None:
    script = Script('''
        def f(a, b=2, *, c: int = 3) -> int:
            """What it does."""
            return a + b + c
        f.mark = "kept"
        g = lambda x: [x, x]
    ''')
    there, _ = load_function(dump(script.f), Engine().space, "f")
    assert there is not script.f
    assert (there(1), there(1, c=0)) == (6, 3)
    names = ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__", "__annotations__", "mark")
    assert [getattr(there, name) for name in names] == [getattr(script.f, name) for name in names]
    assert Engine().call(script.g, 5) == [5, 5]


@pytest.mark.parametrize("function", [len, operator.add, numpy.sum, numpy.linalg.norm, textwrap.dedent])
def test_what_can_be_imported_goes_by_name(function: Any) -> None:
    there, captured = load_function(dump(function), Engine().space, "f")
    assert there is function
    assert captured == {}


# global names -----------------------------------------------------------------------------------------------------------

NAMES = """
    import numpy as np
    factor = 10
    def times(x):
        return factor * x
    def roots(x):
        return [np.sqrt(factor * each) for each in x]
    def unknown():
        return nowhere
    def assign(x):
        global factor
        factor = x
    def inside(x):
        def inner():
            return factor * x
        class Local:
            value = factor
        return inner() + Local.value
"""


def test_it_takes_along_the_globals_that_it_names() -> None:
    script = Script(NAMES)
    assert Engine().call(script.times, 4) == 40
    assert Engine().call(script.inside, 4) == 50
    assert Engine().call(script.roots, [10]) == [10.0]


def test_what_is_bound_on_the_engine_comes_first() -> None:
    script = Script(NAMES)
    assert Engine(factor=3).call(script.times, 4) == 12
    assert Engine(factor=3).call(script.inside, 4) == 15


def test_what_is_bound_nowhere_is_a_name_error() -> None:
    with pytest.raises(NameError, match="nowhere"):
        Engine().call(Script(NAMES).unknown)


def test_assigning_a_global_writes_the_engines_namespace() -> None:
    engine, script = Engine(), Script(NAMES)
    engine.call(script.assign, 7)
    assert engine.space["factor"] == 7
    assert engine.call(script.times, 2) == 14
    assert script.factor == 10


def test_what_it_took_along_does_not_count_as_bound_there() -> None:
    engine = Engine()
    engine.call(Script(NAMES).times, 1)
    assert "factor" not in engine.space


def test_a_later_version_brings_later_globals_and_an_older_one_keeps_its_own() -> None:
    engine, script = Engine(), Script(NAMES)
    older = engine.receive(script.times)
    script.factor = 20
    newer = engine.receive(script.times)
    assert [older(1), newer(1), older(1), newer(1)] == [10, 20, 10, 20]


def test_a_name_of_the_script_hides_a_builtin() -> None:
    script = Script("""
        def sum(x):
            return "mine"
        def f():
            return sum([1]), max([1, 2])
    """)
    assert Engine().call(script.f) == ("mine", 2)


# shapes -----------------------------------------------------------------------------------------------------------------


def test_recursion() -> None:
    script = Script("""
        def factorial(n):
            return n * factorial(n - 1) if n else 1
        def even(n):
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
    """)
    assert Engine().call(script.factorial, 10) == 3628800
    assert [Engine().call(script.even, n) for n in (10, 7)] == [True, False]


def test_closures() -> None:
    script = Script("""
        def counter():
            count = 0
            def step():
                nonlocal count
                count += 1
                return count
            def itself(n):
                return n and itself(n - 1) + 1
            def early():
                return late
            early_one = early
            if False:
                late = 1
            return step, itself, early_one
        step, itself, early = counter()
    """)
    step = Engine().receive(script.step)
    assert [step(), step()] == [1, 2]
    assert script.step() == 1
    assert Engine().call(script.itself, 5) == 5
    with pytest.raises(NameError, match="late"):
        Engine().call(script.early)


def test_generators_coroutines_partials_and_decorated_functions() -> None:
    script = Script("""
        import functools
        scale = 2
        def steps(n):
            yield from (scale * each for each in range(n))
        async def soon(n):
            return scale * n
        def twice(f):
            @functools.wraps(f)
            def wrapped(*args):
                return f(*args), f(*args)
            return wrapped
        @twice
        def decorated(x):
            return scale * x
        def add(a, b):
            return a + b + scale
    """)
    assert list(Engine().call(script.steps, 3)) == [0, 2, 4]
    assert asyncio.run(Engine().call(script.soon, 3)) == 6
    assert Engine().call(script.decorated, 3) == (6, 6)
    assert Engine().call(functools.partial(script.add, 1), b=2) == 5
    assert Engine().call(functools.partial(operator.add, 1), 2) == 3


def test_classes() -> None:
    script = Script("""
        from dataclasses import dataclass
        from enum import Enum
        unit = "m"
        class Base:
            def name(self):
                return "base " + unit
        class Length(Base):
            count = 0
            def __init__(self, value):
                self.value = value
            def name(self):
                return "length, " + super().name()
            @classmethod
            def make(cls, value):
                return cls(value)
            @staticmethod
            def plain():
                return unit
            @property
            def text(self):
                return f"{self.value} {unit}"
        @dataclass
        class Point:
            x: int
            y: int = 2
        class Colour(Enum):
            RED = 1
        def make(value):
            return Length(value)
        def is_red(colour):
            return colour is Colour.RED
        length = Length(3)
    """)
    engine = Engine()
    assert engine.call(script.make, 5).text == "5 m"
    assert engine.call(script.Length, 5).name() == "length, base m"
    assert engine.call(script.Length.make, 6).value == 6
    assert engine.call(script.Length.plain) == "m"
    assert engine.call(script.length.name) == "length, base m"
    assert engine.call(script.Point, 1).y == 2
    arrived = load(dump([script.Length(4), script.Point(1), script.Colour.RED]), engine.space)
    assert (arrived[0].text, arrived[1], arrived[2]) == ("4 m", script.Point(1), script.Colour.RED)
    assert engine.call(script.is_red, arrived[2])


def test_a_function_may_be_an_argument_or_part_of_one() -> None:
    script = Script(NAMES)
    arrived = load(dump({"f": [script.times]}), Engine(factor=3).space)
    assert arrived["f"][0](5) == 15


def test_arrays_that_it_takes_along_are_frames_of_their_own() -> None:
    script = Script("""
        import numpy
        table = numpy.arange(1000.0)
        def f(i):
            return table[i]
    """)
    frames = dump(script.f)
    assert len(frames[-1]) == 8000
    assert size(frames[:-1]) < 1000
    assert Engine().rebuild(frames)(7) == 7.0


# elsewhere --------------------------------------------------------------------------------------------------------------


def test_what_an_argument_refers_to_is_let_go_of_at_once() -> None:
    engine = Engine()
    value = engine.space["x"] = Engine()
    last = weakref.ref(value)
    del value
    load(dump([Reference("x")]), engine.space)
    gc.disable()
    try:
        del engine.space["x"]
        assert last() is None, "only the garbage collector would find it"
    finally:
        gc.enable()


def test_away_from_engines_it_has_a_namespace_of_its_own() -> None:
    script = Script(NAMES)
    times, assign = load(dump([script.times, script.assign]))
    assign(5)
    assert (times(2), script.factor) == (10, 10)
    assert times.__globals__ is assign.__globals__


def test_it_goes_on_from_an_engine_with_what_it_took_along() -> None:
    script = Script(NAMES)
    there, captured = load_function(dump(script.times), Engine().space, "f")
    assert captured == {"factor": 10}
    back = load(dump(there))
    assert back(3) == 30
    assert Engine().call(back, 4) == 40


def test_a_function_made_on_an_engine_takes_along_what_is_bound_there() -> None:
    engine = Engine(factor=6)
    exec("def times(x): return factor * x", engine.space)
    assert load(dump(engine.space["times"]))(7) == 42


# references -------------------------------------------------------------------------------------------------------------


def test_a_reference_is_the_engines_own_value() -> None:
    engine = Engine(x=[1, 2], model=numpy.float64(3.5))
    references = (Reference("x"), {"deep": Reference("x[1]")}, Reference("model.real"), Reference("len"))
    x, deep, real, length = load(dump(references), engine.space)
    assert x is engine.space["x"]
    assert (deep, real, length) == ({"deep": 2}, 3.5, len)


def test_a_reference_to_nothing_is_named() -> None:
    with pytest.raises(MissingNameError, match=r"Reference\('y'\) cannot be resolved on this engine: NameError: name 'y' is not"):
        load(dump(Reference("y")), Engine().space, "the arguments of f")


def test_away_from_engines_a_reference_stays_one() -> None:
    arrived = load(dump(Reference("x")))
    assert isinstance(arrived, Reference)
    assert (arrived.name, repr(arrived)) == ("x", "Reference('x')")


@pytest.mark.parametrize("name", ["", " ", 3, None])
def test_a_reference_needs_a_name(name: Any) -> None:
    with pytest.raises(TypeError, match="a Reference needs the name of something on the engine, not"):
        Reference(name)


# failures ---------------------------------------------------------------------------------------------------------------


def test_a_module_that_is_missing_on_the_engine_is_named() -> None:
    frames = [b"\x80\x02cno_such_module\nf\n."]
    with pytest.raises(
        SerializeError, match=r"the function no_such_module.f cannot be found or rebuilt on the engine: ModuleNotFoundError"
    ):
        load_function(frames, Engine().space, "no_such_module.f")


def test_a_global_that_cannot_be_pickled_is_named() -> None:
    script = Script("""
        import threading
        lock = threading.Lock()
        def f():
            return lock
    """)
    with pytest.raises(SerializeError, match=r"the function f cannot be pickled .*lock"):
        dump(script.f, "the function f")
