"""What user code prints, by whatever way, is found by its call; afterwards the terminal is what it was."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpikernel.engine import output
from mpikernel.engine.output import Output


class Alone:
    """The output of a process that is nothing but an engine; opened inside of a test, since pytest takes the terminal back before it."""

    def __init__(self, folder: Path) -> None:
        self.output = Output(str(folder), 0, always=True)

    def __enter__(self) -> Output:
        self.output.open()
        return self.output

    def __exit__(self, *_: object) -> None:
        self.output.close()


@pytest.fixture
def engine(tmp_path: Path) -> Alone:
    return Alone(tmp_path)


def printed(own: Output, text: str) -> tuple[str, str]:
    own.begin()
    print(text, end="")
    return own.end()


def test_each_way_to_print(engine: Alone) -> None:
    with engine as alone:
        alone.begin()
        print("python")
        print("error", file=sys.stderr)
        os.write(1, b"descriptor\n")
        os.system("echo shell; echo shell error >&2")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)
        ctypes.CDLL(None).puts(b"C")
        assert alone.end() == ("python\ndescriptor\nshell\nchild\nC\n", "error\nshell error\n")


def test_each_call_has_its_own_and_what_threads_print_in_between(engine: Alone, tmp_path: Path) -> None:
    with engine as alone:
        assert printed(alone, "first\n") == ("first\n", "")
        assert printed(alone, "second, no end of line") == ("second, no end of line", "")
        assert printed(alone, "") == ("", "")
        print(", between")
        assert printed(alone, "third") == (", between\nthird", "")
    assert (tmp_path / "engine-0.out").read_text() == "first\nsecond, no end of line, between\nthird"


def test_logs_are_continued(tmp_path: Path) -> None:
    (tmp_path / "engine-7.out").write_text("of an earlier run\n")
    assert printed(Output(str(tmp_path), 7, always=False), "new\n") == ("new\n", "")
    assert (tmp_path / "engine-7.out").read_text() == "of an earlier run\nnew\n"


def test_only_calls_are_redirected_where_the_process_is_not_the_engines_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    own = Output(str(tmp_path), 0, always=False)
    own.open()
    print("script")
    assert printed(own, "call\n") == ("call\n", "")
    print("script again", file=sys.stderr)
    os.system("echo shell of the script")
    assert capfd.readouterr() == ("script\nshell of the script\n", "script again\n")
    assert (tmp_path / "engine-0.out").read_text() == "call\n"


def test_the_terminal_comes_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    own = Output(str(tmp_path), 0, always=True)
    own.open()
    assert sys.stdout is not before[0]
    print("engine")
    own.close()
    own.close()
    assert (sys.stdout, sys.stderr) == before
    print("terminal")
    os.write(1, b"too\n")
    assert capfd.readouterr().out == "terminal\ntoo\n"


def test_any_text_can_be_printed(engine: Alone) -> None:
    with engine as alone:
        assert printed(alone, "naïve 数 \U0001f600 caf\udce9\n") == ("naïve 数 \U0001f600 caf?\n", "")
        alone.begin()
        os.write(1, b"\xff\xfe")
        assert alone.end() == ("\ufffd\ufffd", "")


def test_long_output_keeps_beginning_and_end(engine: Alone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with engine as alone:
        monkeypatch.setattr(output, "LIMIT", 10)
        assert printed(alone, "0123456789") == ("0123456789", "")
        text, _ = printed(alone, "0123456789abcdefghij")
        assert text == f"01234\n[... 10 bytes left out here; all of it is in {tmp_path / 'engine-0.out'} ...]\nfghij"
        assert (tmp_path / "engine-0.out").read_text() == "01234567890123456789abcdefghij"


def test_news_come_in_whole_lines_and_once(engine: Alone) -> None:
    with engine as alone:
        stdout, stderr = alone.streams
        alone.begin()
        assert stdout.news(ended=False) == ""
        print("one\ntw", end="")
        assert stdout.news(ended=False) == "one\n"
        assert stdout.news(ended=False) == ""
        print("o\n50 %\r60 %", end="")
        assert stdout.news(ended=False) == "two\n50 %\r"
        print("\nrest", end="")
        assert stderr.news(ended=True) == ""
        assert stdout.news(ended=True) == "60 %\nrest"
        assert alone.end() == ("one\ntwo\n50 %\r60 %\nrest", "")


def test_characters_are_not_cut_by_news(engine: Alone) -> None:
    with engine as alone:
        stdout, _ = alone.streams
        alone.begin()
        os.write(1, "a\n数".encode()[:-1])
        assert stdout.news(ended=False) == "a\n"
        os.write(1, "数\n".encode()[-2:])
        assert stdout.news(ended=False) == "数\n"
