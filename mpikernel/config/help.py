"""The text that --help prints: one entry for each flag. Knows nothing of what the flags mean."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill

from mpikernel.config.grammar import Flag

WIDTH = 100
COLUMN = 6  # where comments begin, each on its own lines: names with their values are too long for two columns


def describe(usage: str, introduction: str, flags: Iterable[Flag]) -> str:
    """How the command is used, what it does, and every flag."""
    entries = [f"  {flag.name} {flag.metavar}".rstrip() + "\n" + _indent(flag.comment) for flag in flags]
    return "\n".join([f"usage: {usage}", "", fill(introduction, WIDTH), "", "options:", *entries])


def _indent(comment: str) -> str:
    margin = " " * COLUMN
    return fill(comment, WIDTH, initial_indent=margin, subsequent_indent=margin)
