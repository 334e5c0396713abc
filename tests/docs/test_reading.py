"""How documents are read, on documents made for it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.docs.blocks import Block, read_blocks
from tests.docs.consoles import commands_of
from tests.docs.likeness import is_like
from tests.docs.programs import program_of, steps_of
from tests.harness.environments import ROOT

RST = """\
    Words.

    .. code-block:: python
       :caption: first

       # file.py
       x = 1

          y = 2
    .. code-block:: text

       out

    - in a list:

      .. code-block:: console

         $ command
         printed
    End.
"""
MARKDOWN = """\
    ```python
    x = 1
    ```
    Words.
    ```
    no language
    ```
"""


def blocks_in(tmp_path: Path, name: str, text: str) -> list[tuple[int, str, str]]:
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return [(block.line, block.language, block.text) for block in read_blocks(path)]


def test_blocks_of_restructured_text(tmp_path: Path) -> None:
    assert blocks_in(tmp_path, "page.rst", RST) == [
        (6, "python", "# file.py\nx = 1\n\n   y = 2\n"),
        (12, "text", "out\n"),
        (18, "console", "$ command\nprinted\n"),
    ]


def test_blocks_of_markdown(tmp_path: Path) -> None:
    assert blocks_in(tmp_path, "page.md", MARKDOWN) == [(2, "python", "x = 1\n"), (6, "", "no language\n")]


def test_a_block_may_be_a_file() -> None:
    assert block("python", "# a/b.py\n1\n").file == "a/b.py"
    assert block("python", "# about b.py\n1\n").file is None
    assert block("text", "# b.py\n").file is None


def test_a_program_keeps_the_lines_of_its_document() -> None:
    steps = steps_of([block("python", "a = 1\n", 4), block("text", "1\n", 8), block("python", "b = 2\nc = 3\n", 12)])
    lines = program_of(steps, Path("printed")).splitlines()
    assert (lines[3], lines[11], lines[12]) == ("a = 1", "b = 2", "c = 3")
    assert [step.shown for step in steps] == ["1\n", ""]


def test_commands_and_what_they_print() -> None:
    commands = commands_of(block("console", "$ one\n> more\nprinted\n> this too\n$ two\n", 5))
    assert [(command.words, command.shown) for command in commands] == [("one\nmore", "printed\n> this too"), ("two", "")]
    assert commands[1].place.endswith(":9")


@pytest.mark.parametrize(
    ("shown", "printed", "alike"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "\na  \n\n", True),
        ("a\n", "b\n", False),
        ("", "", True),
        ("", "something\n", False),
        ("took ... s\n", "took 1.5 s\n", True),
        ("took ... s\n", "took 1\n2 s\n", False),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nd\n", True),
        ("a.c\n", "abc\n", False),
    ],
)
def test_likeness(shown: str, printed: str, alike: bool) -> None:
    assert is_like(shown, printed) is alike


def test_two_streams_are_shown_in_any_order() -> None:
    assert is_like("said\nprinted\nmore\n", "printed\nmore\n", "said\n")
    assert is_like("printed\n...\nmore\n", "printed\nmore\n", "said\n")
    assert not is_like("said\nmore\nprinted\n", "printed\nmore\n", "said\n")
    assert not is_like("printed\nmore\n", "printed\nmore\n", "said\n")


def block(language: str, text: str, line: int = 1) -> Block:
    return Block(ROOT / "README.md", line, language, text)
