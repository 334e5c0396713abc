"""An exception arrives as what it was, with the traceback of where it was; and always as something that can be raised and told."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import pytest

from mpikernel.errors import RemoteError, RemoteTraceback, SerializeError, remote_text
from mpikernel.wire.failure import describe, one_line, rebuild, sendable, text_of, users_part

PLACE = "on engine 2 (rank 5, host node7), in f:"


def raised(error: BaseException) -> BaseException:
    """An exception with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def there_and_back(error: BaseException) -> Exception:
    return rebuild([bytes(frame) for frame in describe(raised(error), PLACE)], 2)


class NeedsTwo(Exception):
    """Cannot be rebuilt from its args."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class HoldsALock(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("held")
        self.lock = threading.Lock()


class Mute(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("hush")


class BecomesText(Exception):
    """Is rebuilt as something that cannot be raised."""

    def __reduce__(self) -> Any:
        return str, ("no exception",)


class EndsTheProcess(Exception):
    """Raises what must not come through when it is rebuilt."""

    def __reduce__(self) -> Any:
        return leave, ()


class Untrue(Exception):
    """Is as false as an empty list."""

    def __len__(self) -> int:
        return 0


class WillNotSay(Exception):
    """Cannot be asked whether it is true."""

    def __bool__(self) -> bool:
        raise RuntimeError("undecided")


def leave() -> None:
    raise ValueError("while it was rebuilt")


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("k"), OSError(2, "gone", "file"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")]
)
def test_the_original_type_and_what_it_held(error: Exception) -> None:
    arrived = there_and_back(error)
    assert (type(arrived), arrived.args, str(arrived)) == (type(error), error.args, str(error))
    assert getattr(arrived, "filename", None) == getattr(error, "filename", None)


def test_notes_and_attributes_come_along() -> None:
    error = ValueError("no")
    error.add_note("try 3")
    error.detail = {"a": 1}  # type: ignore[attr-defined]  # as users do
    arrived = there_and_back(error)
    assert (arrived.__notes__, arrived.detail) == (["try 3"], {"a": 1})  # type: ignore[attr-defined]


def test_groups_arrive_as_groups() -> None:
    arrived = there_and_back(ExceptionGroup("two", [ValueError(1), KeyError(2)]))
    assert isinstance(arrived, ExceptionGroup)
    assert [type(each) for each in arrived.exceptions] == [ValueError, KeyError]


def test_its_cause_is_the_traceback_headed_by_the_place() -> None:
    arrived = there_and_back(ValueError("no"))
    assert isinstance(arrived.__cause__, RemoteTraceback)
    text = remote_text(arrived)
    assert text.startswith(f"{PLACE}\nTraceback (most recent call last):")
    assert "raise error" in text
    assert text.endswith("ValueError: no")


def test_what_caused_it_is_in_the_traceback() -> None:
    error = ValueError("outer")
    error.__cause__ = raised(KeyError("inner"))
    assert "KeyError: 'inner'" in remote_text(there_and_back(error))


def test_what_came_before_it_comes_along() -> None:
    error, before = ValueError("last"), NeedsTwo(1, 2)
    error.__context__, before.__context__ = before, KeyError("first")
    arrived = there_and_back(error)
    assert isinstance(arrived.__context__, RemoteError)
    assert str(arrived.__context__) == "NeedsTwo: 1 and 2"
    assert isinstance(arrived.__context__.__context__, KeyError)
    assert arrived.__context__.__context__.__context__ is None


def test_errors_whose_contexts_run_in_a_circle_are_told_all_the_same() -> None:
    error, before = ValueError("last"), KeyError("first")
    error.__context__, before.__context__ = before, error
    assert isinstance(there_and_back(error).__context__, KeyError)


def test_two_descriptions_that_come_together() -> None:
    last, first = ([bytes(frame) for frame in describe(raised(error), PLACE)] for error in (KeyError("last"), ValueError("first")))
    arrived = rebuild([*last, *first], 2, len(first))
    assert isinstance(arrived, KeyError)
    assert isinstance(arrived.__context__, ValueError)
    assert remote_text(arrived.__context__).endswith("ValueError: first")
    shown = "".join(traceback.format_exception(arrived))
    assert shown.index("ValueError: first") < shown.index("KeyError: 'last'")


@pytest.mark.parametrize("error", [Untrue("no"), WillNotSay("no")])
def test_nobody_asks_an_exception_whether_it_is_true(error: Exception) -> None:
    last = ValueError("last")
    last.__context__ = error
    for arrived in (there_and_back(error), there_and_back(last).__context__):
        assert (type(arrived), str(arrived)) == (type(error), "no")


@pytest.mark.parametrize("error", [NeedsTwo(1, 2), HoldsALock(), BecomesText("text"), EndsTheProcess("gone")])
def test_what_cannot_be_rebuilt_is_stood_for(error: Exception) -> None:
    arrived = there_and_back(error)
    assert isinstance(arrived, RemoteError)
    assert (arrived.ename, arrived.evalue, arrived.engine) == (type(error).__name__, str(error), 2)
    assert str(arrived) == f"{type(error).__name__}: {error}"
    assert f"{type(error).__name__}: {error}" in remote_text(arrived)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("SIGINT"), BaseExceptionGroup("g", [SystemExit(1)])])
def test_what_would_end_the_script_is_stood_for(error: BaseException) -> None:
    arrived = there_and_back(error)
    assert isinstance(arrived, RemoteError)
    assert arrived.ename == type(error).__name__


def test_an_exception_that_cannot_tell_its_text() -> None:
    arrived = there_and_back(Mute("x"))
    assert isinstance(arrived, RemoteError)
    assert str(arrived) == "Mute: <its text cannot be had: RuntimeError>"
    assert one_line(Mute("x")) == "Mute: <its text cannot be had: RuntimeError>"


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("two\n  lines"), "ValueError: two lines"), (ValueError(), "ValueError"), (OSError("caf\udce9"), "OSError: caf\\udce9")],
)
def test_one_line_for_the_ledger(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_texts_can_be_sent() -> None:
    assert sendable("naïve 数") == "naïve 数"
    assert sendable("caf\udce9").encode() == b"caf\\udce9"
    assert text_of(ValueError("x")) == "x"


def test_names_of_files_that_are_no_utf8_do_not_break_an_error() -> None:
    assert str(there_and_back(FileNotFoundError(2, "gone", "caf\udce9"))) == "[Errno 2] gone: 'caf\\udce9'"


def test_our_own_frames_are_left_out_of_the_traceback() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    namespace: dict[str, Any] = {"fail": fail}
    exec(compile("def ours(): fail()", describe.__code__.co_filename, "exec"), namespace)
    with pytest.raises(ZeroDivisionError) as caught:
        namespace["ours"]()
    inside = caught.tb.tb_next  # the first frame is this test's
    assert users_part(inside).tb_frame.f_code.co_name == "fail"  # type: ignore[union-attr]  # there is one
    assert users_part(None) is None


def test_where_there_are_only_our_own_frames_they_are_shown() -> None:
    with pytest.raises(SerializeError) as caught:
        rebuild([b"nonsense"], 1)
    ours = caught.tb.tb_next
    assert users_part(ours) is ours
