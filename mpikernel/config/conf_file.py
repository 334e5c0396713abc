"""Reads mpikernel.conf with ConfigObj: the texts of its keys and the lines they stand on. What they may be is the spec's business."""

from __future__ import annotations

import re
from typing import Any

from configobj import ConfigObj, ConfigObjError
from msgspec import Struct

from mpikernel.errors import ConfigError


class Entry(Struct, frozen=True):
    """One key of the file."""

    key: str
    text: Any  # a str, or what ConfigObj makes of lists and sections, which the spec refuses
    where: str  # path and line, for messages


def read(path: str) -> list[Entry]:
    """All keys of the file at `path`.

    Raises:
        ConfigError: the file cannot be read, or is not written as ConfigObj has it; names file and line.
    """
    lines = _lines(path)
    try:
        content = ConfigObj(lines, interpolation=False, raise_errors=True)
    except ConfigObjError as error:
        place = f"{path}, line {error.line_number}: {error.line.strip()!r}"
        raise ConfigError(f"{place} is not a line of the form key = value, or its key stands there twice") from None
    return [Entry(key, value, path + _line_of(key, lines)) for key, value in content.items()]


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not text in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _line_of(key: str, lines: list[str]) -> str:
    """Where the key stands, counted from 1; ConfigObj does not say."""
    stands = re.compile(rf"""\s*(\[\s*)?["']?{re.escape(key)}["']?\s*[=\]]""")
    return next((f", line {number}" for number, line in enumerate(lines, 1) if stands.match(line)), "")
