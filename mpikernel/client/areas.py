"""Shared memory that a client has written, remembered for the next push of the same size, and given up soon after."""

from __future__ import annotations

from mpikernel.arrays.shared_memory import Area
from mpikernel.wire.loop import Outbox

#: How long an area that no engine uses is kept (seconds).
SPARE = 1.0
#: How often it is looked whether any uses it (seconds).
LOOK = 0.25
#: Areas that are remembered; those before them belong to their engines alone.
MOST = 8


class Areas:
    """Of one client. All is called under the loop's lock."""

    def __init__(self) -> None:
        self._kept: list[Area] = []
        self._unused: dict[Area, float] = {}  # since when
        self._looked = 0.0

    def take(self, size: int) -> Area:
        """An area of this size, one that was used before if there is any.

        Raises:
            SerializeError: there is no room for it.
        """
        for area in self._kept:
            if area.size == size and area.unused:
                self._forget(area)
                return area
        return Area(size)

    def keep(self, area: Area) -> None:
        """An area that engines have mapped by now."""
        self._kept.append(area)
        if len(self._kept) > MOST:
            self._forget(self._kept[0])

    def _forget(self, area: Area) -> None:
        self._kept.remove(area)
        self._unused.pop(area, None)

    def tidy(self, now: float) -> None:
        """Give up what nobody has used for a while."""
        if not self._kept or now - self._looked < LOOK:
            return
        self._looked = now
        for area in list(self._kept):
            if not area.unused:
                self._unused.pop(area, None)
            elif now - self._unused.setdefault(area, now) >= SPARE:
                self._forget(area)


def tidy(areas: Areas, out: Outbox, now: float) -> None:
    """What is done as time passes."""
    areas.tidy(now)
