"""What all messages are: small, typed, frozen structs (messages.py)."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The base of all messages."""
