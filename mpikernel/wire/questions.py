"""The messages with which a client asks: the controller about the ledger, the task interface how things stand; and the answers."""

from __future__ import annotations

from mpikernel.ledger.records import Position
from mpikernel.wire.message import Message

#: Consecutive tasks: the first of each range, and how many.
Ranges = tuple[tuple[int, int], ...]


class Query(Message, frozen=True, array_like=True, tag=45):
    """Send the first records, at most `limit`, from one position to another, both included. What they are searched for the client knows."""

    query: int
    first: Position
    last: Position
    limit: int


class Purge(Message, frozen=True, array_like=True, tag=46):
    """Remove the records of these calls, which have ended, from the ledger."""

    query: int
    run: int
    calls: tuple[int, ...]


class FetchCalls(Message, frozen=True, array_like=True, tag=48):
    """Send what these tasks of a run call, as the ledger keeps it. What they are needed for the client knows."""

    query: int
    run: int
    tasks: tuple[int, ...]


class FetchShared(Message, frozen=True, array_like=True, tag=49):
    """Send what calls of a run share: a function, or an argument."""

    query: int
    run: int
    name: bytes


class Answer(Message, frozen=True, array_like=True, tag=47):
    """controller -> client: one answer to each question. Frames: the page that was asked for; the calls; what they share, if it is kept.

    `run` is the number of this run, `following` the position at which a page, or calls, would go on, `removed` the number of records that
    a Purge removed; `error` says what is wrong with the ledger.
    """

    query: int
    run: int
    following: Position | None
    removed: int
    error: str


class AskStanding(Message, frozen=True, array_like=True, tag=42):
    """client -> task interface: tell which tasks engines have."""

    query: int


class Standing(Message, frozen=True, array_like=True, tag=43):
    """task interface -> client: the tasks that each engine has, and those that none has."""

    query: int
    held: tuple[Ranges, ...]
    waiting: Ranges
