"""What a command line comes to: a program and the settings to run it with, or a text to print instead. Plain data."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from mpikernel.config.settings import Settings


class Program(Struct, frozen=True):
    """What is to be run, named as python names it."""

    kind: Literal["script", "module", "code"]
    target: str  # path of the script as it was given, name of the module, or the code itself
    args: tuple[str, ...] = ()  # what follows it; the program's own business

    def words(self) -> tuple[str, ...]:
        """The program as it stands on a command line."""
        if self.kind == "script":
            return (*(("--",) if self.target.startswith("-") else ()), self.target, *self.args)
        return ("-m" if self.kind == "module" else "-c", self.target, *self.args)


class Launch(Struct, frozen=True):
    """A program, and the settings of the world that runs it."""

    settings: Settings
    program: Program


class Help(Struct, frozen=True):
    """Asked for with --help or --version: print the text and exit with 0, nothing is to be run."""

    text: str
