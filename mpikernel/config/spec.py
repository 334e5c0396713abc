"""The spec: the fields of Settings as people meet them, as options, as environment variables and as lines of mpikernel.conf.

Here texts become values, the same way whichever of the three they come from. Knows no file and no command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

import msgspec

from mpikernel.config.settings import Settings
from mpikernel.errors import MpikernelError

PREFIX = "MPIKERNEL_"


class Option(msgspec.Struct, frozen=True):
    """One setting."""

    key: str  # as in Settings and mpikernel.conf
    default: str | int | float | bool
    type: Any  # with its bounds

    @property
    def flag(self) -> str:
        """As on the command line."""
        return "--" + self.key.replace("_", "-")

    @property
    def variable(self) -> str:
        """As in the environment."""
        return PREFIX + self.key.upper()

    @property
    def base(self) -> Any:
        """The type without its bounds."""
        return get_args(self.type)[0]

    @property
    def comment(self) -> str:
        return self._meta.description or ""

    @property
    def default_text(self) -> str:
        return str(self.default).lower() if self.base is bool else str(self.default)

    @property
    def choices(self) -> tuple[str, ...]:
        """Every text that is allowed; empty where they cannot be counted."""
        if self.base is bool:
            return ("true", "false")
        return get_args(self.base) if get_origin(self.base) is Literal else ()

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return " or ".join(filter(None, (", ".join(self.choices[:-1]), self.choices[-1])))
        if self.base is str:
            return "a text that is not empty"
        return f"a {'whole ' if self.base is int else ''}number from {self._meta.ge} to {self._meta.le}"

    @property
    def _meta(self) -> msgspec.Meta:
        meta: msgspec.Meta = get_args(self.type)[1]
        return meta


OPTIONS: dict[str, Option] = {field.name: Option(field.name, field.default, field.type) for field in msgspec.structs.fields(Settings)}


def convert(option: Option, text: object, where: str, error: type[MpikernelError]) -> Any:
    """The value that `text` stands for.

    Raises:
        error: the value is not allowed; says so of `where`, which names the place that the text stands in.
    """
    try:
        return msgspec.convert(text.strip() if isinstance(text, str) else text, option.type, strict=False)
    except msgspec.ValidationError:
        raise error(f"{where}: {option.key} cannot be {text!r}; allowed is {option.allowed} (default {option.default_text})") from None


def suggest(name: str, names: Iterable[str]) -> str:
    """The known name that was probably meant, or an empty text."""
    from difflib import get_close_matches  # here: only those who mistyped wait for it

    return next(iter(get_close_matches(name, list(names), n=1, cutoff=0.7)), "")
