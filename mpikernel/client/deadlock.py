"""Which engines wait in MPI for what will not come: told from what each of them is doing, and for whom it waits.

Pure. An engine that works, or says nothing, may always come; one that sits in MPI and may yet be served never counts as lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mpikernel.wire.sitting import COLLECTIVE, OTHER, RECEIVE, SEND, Waits


def lost(gone: Collection[int], waits: Mapping[int, Waits], engines: Collection[int]) -> set[int]:
    """The engines that wait for ever.

    Args:
        gone: those that have nothing to do and will come to nobody.
        waits: for whom those wait that sit in MPI.
        engines: all of them.
    """
    peers = {engine: set(wait.peers or engines) - {engine} for engine, wait in waits.items()}
    dead = set(gone)
    while True:
        _spread(dead, waits, peers)
        ring = _ring(dead, waits, peers)
        if not ring:
            return dead - set(gone)
        dead |= ring


def _spread(dead: set[int], waits: Mapping[int, Waits], peers: Mapping[int, set[int]]) -> None:
    """Who waits for one that is dead, and cannot do without it, is dead too."""
    while more := {engine for engine in waits.keys() - dead if _in_vain(waits[engine], peers[engine], dead)}:
        dead |= more


def _in_vain(wait: Waits, peers: set[int], dead: set[int]) -> bool:
    return bool(peers & dead) if wait.each else peers <= dead


def _ring(dead: set[int], waits: Mapping[int, Waits], peers: Mapping[int, set[int]]) -> set[int]:
    """Those that wait for each other, or for one that is dead, while none of them does what another waits for."""
    ring = set(waits.keys() - dead)
    while True:
        hindered = {engine: {peer for peer in ring if not _serves(waits[peer], waits[engine])} | dead for engine in ring}
        served = {engine for engine in ring if not _in_vain(waits[engine], peers[engine], hindered[engine])}
        if not served:
            return ring
        ring -= served


def _serves(one: Waits, other: Waits) -> bool:
    """Whether these may be the two ends of one exchange, which is under way."""
    kinds = {one.kind, other.kind}
    if COLLECTIVE in kinds:
        return kinds == {COLLECTIVE} and one.name == other.name
    return OTHER in kinds or kinds == {SEND, RECEIVE}
