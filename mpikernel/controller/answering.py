"""What the controller says about the ledger: a page of records, or of what tasks call, for each look into it, and no more at a time.

It keeps nothing between two looks, and each is over within milliseconds, so a client that reads a million records holds nobody up.
Whoever asks does the searching.
"""

from __future__ import annotations

from collections.abc import Callable

from mpikernel.controller.state import ControllerState
from mpikernel.errors import LedgerError
from mpikernel.ledger.promise import Ledger
from mpikernel.wire.envelope import Frame
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Answer, FetchCalls, FetchShared, Purge, Query
from mpikernel.wire.transport import Arrival

#: The most records of one page, whatever was asked for. A thousand take a millisecond or two.
MOST = 1000
#: Bytes of what tasks call after which an answer is long enough.
ENOUGH = 1 << 20


def on_query(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    query = arrival.message
    assert isinstance(query, Query)

    def look(ledger: Ledger) -> tuple[Answer, list[Frame]]:
        page = ledger.page(query.first, query.last, max(1, min(query.limit, MOST)))
        return Answer(query.query, ledger.run, page.following, 0, ""), [page.data]

    _answer(state, out, arrival.sender, query.query, look)


def on_purge(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    purge = arrival.message
    assert isinstance(purge, Purge)

    def remove(ledger: Ledger) -> tuple[Answer, list[Frame]]:
        return Answer(purge.query, ledger.run, None, ledger.remove(purge.run, purge.calls), ""), []

    _answer(state, out, arrival.sender, purge.query, remove)


def on_fetch_calls(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    fetch = arrival.message
    assert isinstance(fetch, FetchCalls)

    def look(ledger: Ledger) -> tuple[Answer, list[Frame]]:
        rows, following = list[Frame](), None
        for row in ledger.calls(fetch.run, fetch.tasks):
            rows.append(row.data)
            if sum(map(len, rows)) >= ENOUGH:
                following = fetch.run, row.last + 1
                break
        return Answer(fetch.query, ledger.run, following, 0, ""), rows

    _answer(state, out, arrival.sender, fetch.query, look)


def on_fetch_shared(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    fetch = arrival.message
    assert isinstance(fetch, FetchShared)

    def look(ledger: Ledger) -> tuple[Answer, list[Frame]]:
        found = ledger.shared(fetch.run, fetch.name)
        return Answer(fetch.query, ledger.run, None, 0, ""), [] if found is None else [found]

    _answer(state, out, arrival.sender, fetch.query, look)


def _answer(state: ControllerState, out: Outbox, client: int, number: int, ask: Callable[[Ledger], tuple[Answer, list[Frame]]]) -> None:
    """Send what the ledger says, or what is wrong with it; nothing once the run is closed, when the client is told to leave."""
    if state.left:
        return
    try:
        message, frames = ask(state.ledger)
    except LedgerError as error:
        message, frames = Answer(number, 0, None, 0, str(error)), []
    out.send(client, message, frames)


REACTIONS = {Query: on_query, Purge: on_purge, FetchCalls: on_fetch_calls, FetchShared: on_fetch_shared}
