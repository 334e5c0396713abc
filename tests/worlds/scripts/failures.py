"""What goes wrong and is told, each time followed by a call that works: the world goes on. Runs in a world of any size."""

from __future__ import annotations

import io
import os
import pickle
import socket
import sys
import threading
import types
from typing import Any

import beside
import numpy as np
from checks import raises, run_checks

from mpikernel import Client, CompositeError
from mpikernel.errors import MpikernelError, RemoteError, RemoteTraceback, SerializeError

client = Client()
everybody = client[:]
one = client[0]
balanced = client.load_balanced_view()
COUNT = len(client)
APART = one.apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own
VIEWS = (one, balanced)


def assert_world_goes_on() -> None:
    assert everybody.apply_sync(abs, -1) == [1] * COUNT
    assert balanced.apply_sync(abs, -2) == 2


class Refusal(Exception):
    """An exception of the script that travels well."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text, code)
        self.code = code


class HoldsLock(Exception):
    """Cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class WithoutText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


class Disguised(Exception):
    """Becomes something else on the way."""

    def __reduce__(self) -> Any:
        return str, ("no exception at all",)


class ExitsWhenPickled(Exception):
    def __reduce__(self) -> Any:
        sys.exit(5)


class BreaksWhenRebuilt:
    """A value that leaves an engine well, and cannot be made again in the script."""

    def __reduce__(self) -> Any:
        return os.listdir, ("/nowhere/at/all",)


def outer(text: str) -> None:
    inner(text)


def inner(text: str) -> None:
    raise ValueError(text)


def raise_kind(kind: type[BaseException], *args: Any) -> None:
    raise kind(*args)


def raise_chained() -> None:
    try:
        raise KeyError("the first")
    except KeyError as error:
        raise OSError(2, "the second", "a/file") from error


def differ_by_engine() -> int:
    from mpikernel import engine

    if engine.id == 0:
        raise ValueError("I am the first")
    if engine.id == 1:
        raise LookupError("I am the second")
    return engine.id


def check_an_exception_keeps_its_type_and_brings_the_remote_traceback() -> None:
    for view in VIEWS:
        with raises(ValueError, "went wrong") as caught:
            view.apply_sync(outer, "went wrong")
        assert type(caught.error) is ValueError
        cause = caught.error.__cause__
        assert isinstance(cause, RemoteTraceback)
        text = str(cause)
        rank = one.apply_sync(own_rank)
        if view is one:
            assert f"engine 0 (rank {rank}, host {socket.gethostname()})" in text
        assert f"host {socket.gethostname()}" in text
        for word in ("in outer", "in inner", "failures.py", "raise ValueError(text)", "ValueError: went wrong"):
            assert word in text, (word, text)
        assert "mpikernel/engine" not in text
    assert_world_goes_on()


def own_rank() -> int:
    from mpikernel import engine

    rank: int = engine.properties["rank"]
    return rank


def check_every_kind_of_command_fails_well() -> None:
    for call, kind, word in (
        (lambda: one.execute("1 / 0", block=True), ZeroDivisionError, "division"),
        (lambda: one.execute("def f(:", block=True), SyntaxError, "invalid syntax"),
        (lambda: one.pull("not_there", block=True), NameError, "not_there"),
        (lambda: one.gather("not_there", block=True), CompositeError, "not_there"),
        (lambda: one.map_sync(inner, ["x"]), CompositeError, "x"),
        (lambda: balanced.map_sync(inner, ["x"]), CompositeError, "x"),
        (lambda: one["a.b"], NameError, "'a'"),
    ):
        with raises(kind, word):
            call()
    with raises(ZeroDivisionError) as caught:
        one.execute("x = 1\ny = 2\nz = x / (y - 2)", block=True)
    assert "z = x / (y - 2)" in str(caught.error.__cause__)
    assert_world_goes_on()


def check_errors_with_more_than_a_text() -> None:
    with raises(OSError, "the second") as caught:
        one.apply_sync(raise_chained)
    assert (caught.error.errno, caught.error.filename) == (2, "a/file")
    assert type(caught.error) is FileNotFoundError
    assert "KeyError: 'the first'" in str(caught.error.__cause__)
    assert "direct cause" in str(caught.error.__cause__)
    with raises(UnicodeDecodeError):
        one.apply_sync(b"\xff".decode)
    with raises(Refusal, "refused") as caught:
        one.apply_sync(raise_kind, Refusal, "refused", 7)
    assert caught.error.code == 7
    with raises(MemoryError):
        one.apply_sync(np.zeros, 1 << 50)
    with raises(RecursionError):
        one.apply_sync(recurse)
    with raises(StopIteration):
        one.apply_sync(next, iter([]))
    with raises(ExceptionGroup, "two of them") as caught:
        one.apply_sync(raise_kind, ExceptionGroup, "two of them", [ValueError(1), KeyError(2)])
    assert [type(error) for error in caught.error.exceptions] == [ValueError, KeyError]
    with raises(ValueError) as caught:
        one.execute("error = ValueError(); error.add_note('by the way'); raise error", block=True)
    assert caught.error.__notes__ == ["by the way"]
    assert_world_goes_on()


def recurse() -> None:
    recurse()


def check_leaving_is_only_an_error() -> None:
    """SystemExit and its like end neither the engine nor the script."""
    for kind, args in ((SystemExit, (3,)), (SystemExit, ()), (KeyboardInterrupt, ()), (GeneratorExit, ()), (BaseException, ("base",))):
        for view in VIEWS:
            with raises(RemoteError, kind.__name__) as caught:
                view.apply_sync(raise_kind, kind, *args)
            assert caught.error.ename == kind.__name__
            assert isinstance(caught.error.__cause__, RemoteTraceback)
    with raises(RemoteError, "SystemExit"):
        one.execute("import sys; sys.exit('bye')", block=True)
    if APART:
        with raises(RemoteError, "SystemExit: 0"):
            one.apply_sync(os._exit, 0)
    with raises(CompositeError, "SystemExit"):
        everybody.map_sync(sys.exit, range(COUNT))
    with raises(RemoteError, "BaseExceptionGroup"):
        one.apply_sync(raise_kind, BaseExceptionGroup, "group", [SystemExit(1)])
    assert_world_goes_on()


def check_exceptions_that_cannot_be_rebuilt_are_stood_for() -> None:
    for view in VIEWS:
        for kind, args, text in (
            (beside.Unlucky, ("tried", 2), "tried x 2"),
            (HoldsLock, ("holds a lock",), "holds a lock"),
            (WithoutText, (), "no"),
            (Disguised, ("mask",), "mask"),
            (ExitsWhenPickled, ("exit",), "exit"),
        ):
            with raises(RemoteError, kind.__name__, text) as caught:
                view.apply_sync(raise_kind, kind, *args)
            assert caught.error.ename == kind.__name__
            assert text in caught.error.evalue or kind is WithoutText
            assert "raise_kind" in str(caught.error.__cause__)
    with raises(CompositeError, "HoldsLock"):
        everybody.apply_sync(raise_kind, HoldsLock, "everywhere")
    with raises(CompositeError, "WithoutText"):
        everybody.apply_sync(raise_kind, WithoutText)
    assert_world_goes_on()


def check_texts_that_are_no_unicode() -> None:
    for view in (everybody, balanced, one):
        with raises(Exception, "no name"):
            view.apply_sync(inner, "no name \udcff")
    assert one.apply_sync(lambda text: text, "\udcff") == "\udcff"
    with raises(MpikernelError, "surrogates"):
        one.execute("'\udcff'")
    with raises(ValueError):
        one.apply_sync(inner, "x" * 5_000_000)
    assert_world_goes_on()


def check_equal_errors_are_told_once() -> None:
    with raises(CompositeError, "outer failed", "everywhere the same") as caught:
        everybody.apply_sync(outer, "everywhere the same")
    error = caught.error
    assert str(error).count("everywhere the same") == 1
    assert [row[3] for row in error.elist] == client.ids
    assert {row[:2] for row in error.elist} == {("ValueError", "everywhere the same")}
    assert all("in inner" in row[2] for row in error.elist)
    assert len(error.exceptions) == COUNT
    shown = io.StringIO()
    error.print_tracebacks(file=shown)
    assert shown.getvalue().count("in inner") == 1
    shown = io.StringIO()
    error.print_tracebacks(COUNT - 1, file=shown)
    assert f"engine {COUNT - 1}" in shown.getvalue()
    with raises(ValueError, "everywhere the same"):
        error.raise_exception()
    with raises(IndexError, str(COUNT)):
        error.raise_exception(COUNT)
    assert_world_goes_on()


def check_different_errors_are_all_told() -> None:
    if COUNT < 2:
        return
    with raises(CompositeError, "I am the first", "I am the second", f"2 of {COUNT}") as caught:
        everybody.apply_sync(differ_by_engine)
    assert [type(error) for error in caught.error.exceptions] == [ValueError, LookupError]
    assert [row[3] for row in caught.error.elist] == [0, 1]
    with raises(LookupError, "I am the second"):
        caught.error.raise_exception(1)
    told = []
    try:
        everybody.apply_sync(differ_by_engine)
    except* ValueError as group:
        told.append(str(group.exceptions[0]))
    except* LookupError as group:
        told.append(str(group.exceptions[0]))
    assert told == ["I am the first", "I am the second"]
    copy = pickle.loads(pickle.dumps(caught.error))
    assert (str(copy), [row[3] for row in copy.elist]) == (str(caught.error), [0, 1])


def check_what_cannot_be_pickled_is_named_before_anything_is_sent() -> None:
    lock = threading.Lock()
    with raises(SerializeError, "len", "lock"):
        one.apply(len, lock)
    with raises(SerializeError, "arguments of len", "lock"):
        balanced.apply(len, key=lock)
    with raises(SerializeError, "needs_lock", "lock"):
        one.apply(lambda_needing(lock))
    with raises(SerializeError, "held", "lock"):
        one.push({"fine": 1, "held": lock})
    with raises(SerializeError, "held", "lock"):
        one.scatter("held", [lock])
    with raises(SerializeError, "lock"):
        everybody.map(str, [lock])
    with raises(SerializeError):
        one.apply(len, client)
    with raises(SerializeError):
        one.apply(len, one.apply_async(abs, 1))
    with raises(SerializeError, "generator"):
        one.apply(list, (x for x in range(3)))
    with raises(SerializeError, "deep"):
        one.push({"deep": nested(100_000)})
    with raises(NameError):
        one.pull("fine", block=True)
    assert_world_goes_on()


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def lambda_needing(lock: Any) -> Any:
    def needs_lock() -> Any:
        return lock

    return needs_lock


def check_functions_that_engines_cannot_find() -> None:
    ghost = types.ModuleType("ghost")
    exec("def haunt(): return 'boo'\nclass Sheet: pass", vars(ghost))
    sys.modules["ghost"] = ghost
    ghost.haunt.__module__ = "ghost"
    if not APART:
        del sys.modules["ghost"]
        return
    with raises(SerializeError, "haunt", "engine", "ghost"):
        one.apply_sync(ghost.haunt)
    with raises(SerializeError, "haunt", "ghost"):
        balanced.apply_sync(ghost.haunt)
    with raises(CompositeError, "haunt", "ghost"):
        everybody.map_sync(ghost.haunt, [1])
    with raises(SerializeError, "arguments of abs", "ghost"):
        one.apply_sync(abs, ghost.Sheet())
    with raises(SerializeError, "sheet", "ghost"):
        one.push({"sheet": ghost.Sheet()}, block=True)
    assert_world_goes_on()


def check_results_that_cannot_be_pickled() -> None:
    for view in VIEWS:
        with raises(SerializeError, "result of make_lock", "lock"):
            view.apply_sync(make_lock)
    with raises(CompositeError, "lock"):
        balanced.map_sync(lambda _: make_lock(), [1])
    one.execute("import threading; held = threading.Lock()", block=True)
    with raises(SerializeError, "pull held", "lock"):
        one.pull("held", block=True)
    with raises(SerializeError, "generator"):
        one.apply_sync(lambda: (x for x in range(3)))
    assert_world_goes_on()


def make_lock() -> Any:
    return threading.Lock()


def check_results_that_cannot_be_rebuilt_here() -> None:
    for view in VIEWS:
        result = view.apply_async(BreaksWhenRebuilt)
        with raises(SerializeError, "result of BreaksWhenRebuilt", "/nowhere/at/all"):
            result.get()
        assert isinstance(result.exception(), SerializeError)
    assert_world_goes_on()


def check_what_is_no_function_is_refused() -> None:
    for view in VIEWS:
        for bad in (5, "abs", None):
            with raises(MpikernelError, repr(bad), "function"):
                view.apply(bad)
    with raises(TypeError):
        one.apply_sync(abs)
    assert_world_goes_on()


def check_the_namespace_survives_failures() -> None:
    one.execute("kept = 1\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    kept = 2", block=True)
    with raises(ZeroDivisionError):
        one.execute("kept = 3; 1 / 0; kept = 4", block=True)
    assert one["kept"] == 3


def check_many_failures_in_a_row() -> None:
    for _ in range(50):
        with raises(ValueError):
            one.apply_sync(inner, "again")
    result = balanced.map_async(inner, ["many"] * 200)
    with raises(CompositeError, "200 of 200") as caught:
        result.get()
    assert str(caught.error).count("many") == 1
    assert_world_goes_on()


run_checks(globals())
