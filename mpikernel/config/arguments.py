"""The command line of `python -m mpikernel`, and what it shares with `ipcluster run`.

Every job waits for this on rank 0: what only help or a conf file needs is imported there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from mpikernel.config.grammar import Flag, Split, split
from mpikernel.config.launch import Help, Launch
from mpikernel.config.loading import FOLDER, load
from mpikernel.config.spec import OPTIONS, Option
from mpikernel.errors import UsageError

USAGE = "python -m mpikernel [options] SCRIPT [ARGS...] | -m MODULE [ARGS...] | -c CODE [ARGS...]"
INTRODUCTION = "Start it under mpiexec: each rank plays its role, and the program drives the engines with mpikernel.Client."
METAVARS = {int: "N", float: "X", str: "PATH"}


def _settings_flags() -> Iterator[Flag]:
    for option in OPTIONS.values():
        if option.base is bool:
            yield Flag(option.flag, option.key, text="true", comment=_comment(option))
            yield Flag(option.flag.replace("--", "--no-", 1), option.key, text="false", comment=f"undoes {option.flag}")
        else:
            yield Flag(option.flag, option.key, metavar="|".join(option.choices) or METAVARS[option.base], comment=_comment(option))


def _comment(option: Option) -> str:
    return f"{option.comment} (default {option.default_text}; or {option.variable})"


SETTINGS_FLAGS = tuple(_settings_flags())
ASKING_FLAGS = (
    Flag("--help", "help", text="", comment="print this and exit", last=True),
    Flag("-h", "help", text="", comment="the same", last=True),
    Flag("--version", "version", text="", comment="print the version and exit", last=True),
)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Launch | Help:
    """Read the command line of one run, without the command itself.

    Raises:
        UsageError: the command line is wrong; the caller prints the text and exits with 2.
        ConfigError: the environment or mpikernel.conf is.
    """
    flags = (*SETTINGS_FLAGS, *ASKING_FLAGS)
    parts = split(argv, flags)
    return answer(parts, USAGE, INTRODUCTION, flags) or conclude(parts, environ, USAGE)


def answer(parts: Split, usage: str, introduction: str, flags: Sequence[Flag]) -> Help | None:
    """What --help or --version ask for; None when neither was given."""
    if "version" in parts.values:
        from mpikernel import __version__  # here: only who asks waits for it

        return Help(f"mpikernel {__version__}")
    if "help" in parts.values:
        from mpikernel.config.help import describe  # here: only who asks waits for it

        return Help(describe(usage, introduction, flags))
    return None


def conclude(parts: Split, environ: Mapping[str, str], usage: str) -> Launch:
    """The program and its settings; flags that are no settings are left alone."""
    if parts.program is None:
        raise UsageError(f"nothing to run; usage: {usage}")
    if parts.program.kind == "script":
        _check_script(parts.program.target)
    stated = {key: text for key, text in parts.values.items() if key in OPTIONS and key != FOLDER.key}
    return Launch(load(parts.values.get(FOLDER.key), environ, stated), parts.program)


def settings_words(parts: Split) -> tuple[str, ...]:
    """What a command line said of settings, as options for another one."""
    said = {flag: parts.values[flag.key] for flag in SETTINGS_FLAGS if flag.key in parts.values}
    values = tuple(f"{flag.name}={text}" for flag, text in said.items() if flag.text is None)
    return values + tuple(flag.name for flag, text in said.items() if flag.text == text)


def _check_script(path: str) -> None:
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder, not a script (working directory: {os.getcwd()})")
    if not os.path.exists(path):
        raise UsageError(f"there is no script {path} (working directory: {os.getcwd()})")
    if not os.access(path, os.R_OK):
        raise UsageError(f"the script {path} cannot be read: permission denied (working directory: {os.getcwd()})")
