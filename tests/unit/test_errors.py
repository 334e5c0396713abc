"""The tree of errors: who is caught as what, what they say, and that they travel."""

from __future__ import annotations

import io
import pickle
from concurrent.futures import CancelledError

import pytest

from mpikernel import errors
from mpikernel.errors import (
    ArrayFileError,
    ClosedError,
    CompositeError,
    ConfigError,
    CrashLimitError,
    EngineDiedError,
    LaunchError,
    LedgerError,
    MissingNameError,
    MpikernelError,
    NoEnginesError,
    NoWorldError,
    OverdueError,
    PeerProtocolError,
    ProtocolError,
    RemoteError,
    RemoteTraceback,
    SerializeError,
    TaskAborted,
    UsageError,
)


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        (UsageError, ValueError),
        (ConfigError, ValueError),
        (LaunchError, RuntimeError),
        (OverdueError, RuntimeError),
        (NoWorldError, RuntimeError),
        (NoEnginesError, LookupError),
        (EngineDiedError, RuntimeError),
        (CrashLimitError, EngineDiedError),
        (SerializeError, TypeError),
        (LedgerError, OSError),
        (ArrayFileError, OSError),
        (MissingNameError, NameError),
        (ClosedError, RuntimeError),
        (PeerProtocolError, ProtocolError),
        (TaskAborted, CancelledError),
        (RemoteError, RuntimeError),
        (CompositeError, ExceptionGroup),
    ],
)
def test_each_is_caught_as_ours_and_as_what_it_is(kind: type[Exception], also: type[Exception]) -> None:
    assert issubclass(kind, MpikernelError)
    assert issubclass(kind, also)


def test_every_error_is_in_the_tree_of_the_docstring() -> None:
    named = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, MpikernelError)}
    assert named
    assert all(name in (errors.__doc__ or "") for name in named)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'TaskAbroted'"):
        errors.TaskAbroted  # noqa: B018  # asking is the test


@pytest.mark.parametrize(
    "error",
    [
        UsageError("text"),
        LedgerError("text"),
        ArrayFileError("text"),
        OverdueError("rank 3 did not stop", 130),
        PeerProtocolError(3, "sent nonsense"),
        TaskAborted("text"),
        RemoteError("ValueError", "no", 2),
        RemoteTraceback("Traceback"),
    ],
)
def test_each_travels(error: MpikernelError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (type(error), str(error), vars(error))


def test_texts() -> None:
    assert str(OverdueError("rank 3 did not stop", 130)) == "rank 3 did not stop"
    assert str(PeerProtocolError(3, "sent nonsense")) == "rank 3: sent nonsense"
    assert str(RemoteError("ValueError", "no", 2)) == "ValueError: no"
    assert str(RemoteError("KeyboardInterrupt", "", 2)) == "KeyboardInterrupt: was interrupted"
    assert str(RemoteError("SystemExit", "", 2)) == "SystemExit"


# several engines --------------------------------------------------------------------------------------------------------


def from_engine(error: Exception, trace: str = "") -> Exception:
    error.__cause__ = RemoteTraceback(trace) if trace else None
    return error


def composite() -> CompositeError:
    failures = [from_engine(ValueError("no"), "trace 0"), from_engine(KeyError("k"), "trace 1"), from_engine(ValueError("no"), "trace 2")]
    return CompositeError("f failed in 3 of 4 calls", failures, [0, 1, 3])


def test_it_is_a_group_that_can_be_taken_apart() -> None:
    caught: list[type[BaseException]] = []
    try:
        raise composite()
    except* ValueError as group:
        caught += [type(each) for each in group.exceptions]
    except* KeyError as group:
        caught += [type(each) for each in group.exceptions]
    assert caught == [ValueError, ValueError, KeyError]


def test_equal_errors_are_told_once() -> None:
    assert str(composite()).startswith("f failed in 3 of 4 calls: [engines 0, 3] ValueError: no; [engine 1] KeyError: 'k'")


def test_elist_has_each_failure_in_order() -> None:
    assert composite().elist == [("ValueError", "no", "trace 0", 0), ("KeyError", "'k'", "trace 1", 1), ("ValueError", "no", "trace 2", 3)]


def test_tracebacks_of_equal_errors_are_printed_once() -> None:
    file = io.StringIO()
    composite().print_tracebacks(file=file)
    assert file.getvalue() == "[engines 0, 3] ValueError: no\ntrace 0\n[engine 1] KeyError: 'k'\ntrace 1\n"


def test_one_traceback_by_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    composite().print_tracebacks(2)
    assert capsys.readouterr().err == "[engine 3] ValueError: no\ntrace 2\n"


def test_raising_one_of_them() -> None:
    with pytest.raises(KeyError):
        composite().raise_exception(1)
    with pytest.raises(ValueError, match="no") as caught:
        composite().raise_exception()
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    for number in (3, -1):
        with pytest.raises(IndexError, match=f"there is no failure {number}; there are 3"):
            composite().raise_exception(number)


def test_a_call_that_ran_nowhere_has_no_engine() -> None:
    assert "[no engine] TaskAborted: gone" in str(CompositeError("f failed", [TaskAborted("gone")], [-1]))
    assert "[no engine] ValueError: no" in str(CompositeError("f failed", [ValueError("no")]))


def test_it_travels() -> None:
    arrived = pickle.loads(pickle.dumps(composite()))
    assert isinstance(arrived, CompositeError)
    assert str(arrived) == str(composite())
    assert [type(each) for each in arrived.exceptions] == [ValueError, KeyError, ValueError]
    assert [row[3] for row in arrived.elist] == [0, 1, 3]


def test_its_tracebacks_travel_too() -> None:
    arrived = pickle.loads(pickle.dumps(composite()))
    assert arrived.elist == composite().elist
