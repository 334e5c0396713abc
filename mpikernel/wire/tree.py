"""How large frames reach many ranks: the poster sends them once, and each receiver passes them on to two others at most.

They go piece by piece (bulk.py), so everybody is sending while the rest is still coming, and the time grows with the depth
of the tree by one piece a level. Who may be slow to pass things on, a busy engine, stands at the end and is nobody's parent.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpikernel.wire.envelope import Route

#: Receivers that one rank passes frames on to.
WIDTH = 2


def tree(origin: int, ranks: Sequence[int]) -> dict[int, Route]:
    """The way to each of `ranks`: the first ones are the inner nodes, the first of all is the only one that `origin` sends to."""
    return {rank: Route(_parent(origin, ranks, index), _children(ranks, index)) for index, rank in enumerate(ranks)}


def _parent(origin: int, ranks: Sequence[int], index: int) -> int:
    return ranks[(index - 1) // WIDTH] if index else origin


def _children(ranks: Sequence[int], index: int) -> tuple[int, ...]:
    return tuple(ranks[WIDTH * index + 1 : WIDTH * index + 1 + WIDTH])
