"""How a command line that runs a program is read, as python's is: flags, then SCRIPT, -m MODULE or -c CODE, then the program's own words.

Everything after the program is left alone, also what looks like a flag. Knows no setting; it is by hand because every job waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from mpikernel.config.launch import Program
from mpikernel.config.spec import suggest
from mpikernel.errors import UsageError

NAMED: dict[str, Literal["module", "code"]] = {"-m": "module", "-c": "code"}


class Flag(Struct, frozen=True):
    """One thing that may stand before the program."""

    name: str  # --long, or a letter as in -n
    key: str
    text: str | None = None  # what a switch stands for; None: the flag takes a value
    metavar: str = ""
    comment: str = ""
    last: bool = False  # nothing after it counts (--help)


class Split(Struct, frozen=True):
    """A command line in its parts."""

    values: dict[str, str]  # by the key of the flag; the last one counts
    program: Program | None


def split(argv: Iterable[str], flags: Iterable[Flag]) -> Split:
    """Take a command line (without the command itself) apart.

    Raises:
        UsageError: a flag is unknown, lacks its value, or has one that it does not take.
    """
    known = {flag.name: flag for flag in flags}
    words = deque(argv)
    values: dict[str, str] = {}
    while words and words[0].startswith("-"):
        word = words.popleft()
        if word == "--":
            break
        if word[:2] in NAMED:
            return Split(values, _named(word, words))
        flag, text = _read(word, words, known)
        values[flag.key] = text
        if flag.last:
            return Split(values, None)
    return Split(values, Program("script", words[0], tuple(words)[1:]) if words else None)


def _named(word: str, words: deque[str]) -> Program:
    """-m MODULE or -c CODE, in two words or in one."""
    name, target = word[:2], word[2:]
    if not target and not words:
        raise UsageError(f"{name} needs the {'name of a module' if name == '-m' else 'code to run'} after it")
    target = target or words.popleft()
    return Program(NAMED[name], target, tuple(words))


def _read(word: str, words: deque[str], known: Mapping[str, Flag]) -> tuple[Flag, str]:
    """One flag and its value, which may be the next word."""
    whole = word.startswith("--") or word in known  # such as mpirun's -np
    name, equals, text = word.partition("=") if whole else (word[:2], word[2:], word[2:].removeprefix("="))
    flag = known.get(name)
    if flag is None:
        raise UsageError(_unknown(name, known))
    if flag.text is not None:
        if equals:
            raise UsageError(f"{name} takes no value, but {text!r} was given")
        return flag, flag.text
    if equals:
        return flag, text
    if not words:
        raise UsageError(f"{name} needs a value: {name} {flag.metavar}")
    return flag, words.popleft()


def _unknown(name: str, known: Mapping[str, Flag]) -> str:
    meant = suggest(name, known)
    hint = f"did you mean {meant}?" if meant else "--help lists all; a program's own options come after it"
    return f"there is no option {name}; {hint}"
