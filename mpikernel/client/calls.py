"""What a result knows of its calls, whether they have ended or not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from mpikernel.client.state import Call, OpenBatch

#: The condition of all of them. Nobody waits for it: who waits for a result drives the loop, and others have callbacks and events of
#: their own. One for each would be most of what a small call costs the script, in time and for the garbage collector.
SHARED = threading.Condition()
PENDING, FINISHED = "PENDING", "FINISHED"  # as `concurrent.futures` calls them
OVER = frozenset((FINISHED, "CANCELLED", "CANCELLED_AND_NOTIFIED"))


class FutureOfCalls(Future):  # type: ignore[type-arg]  # what it brings is only known at run time
    """A future, and the calls that it is the future of."""

    def __init__(self) -> None:
        self._condition = SHARED  # these six are what Future.__init__ sets
        self._state = PENDING
        self._result: Any = None
        self._exception: BaseException | None = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []
        self._calls: list[Call] = []

    def finish_unseen(self) -> bool:
        """Become done well, if nobody is to be told of it; whether that was so."""
        with SHARED:
            if self._waiters or self._done_callbacks:
                return False
            self._state = FINISHED
        return True

    @property
    def calls(self) -> Sequence[Call]:
        """Its calls, in order."""
        return self._calls

    def __len__(self) -> int:
        return len(self.calls)

    @property
    def progress(self) -> int:
        """How many of its calls have ended."""
        return sum(call.done is not None for call in self.calls)

    def running(self) -> bool:
        """Whether it is known to be under way: calls of it have ended, and others have not.

        The script is not told when a call begins, so a single one is not `running` while it runs: only `cancel` finds out whether it has
        begun, and metadata tells when, once it has ended.
        """
        return not self.done() and self.progress > 0

    @property
    def serial_time(self) -> float:
        """Seconds that engines spent in its calls, summed up."""
        return sum(call.done.completed - call.done.started for call in self.calls if call.done and call.done.started)

    @property
    def msg_ids(self) -> list[int]:
        """The numbers of its calls, as the ledger has them."""
        return [call.id for call in self.calls]

    def _bad_calls(self) -> Sequence[Call]:
        """Those of its calls that failed or were cancelled."""
        return [call for call in self.calls if call.failed or call.aborted]

    def _has_failed(self) -> bool:
        return bool(self._bad_calls())

    @property
    def _number(self) -> int:
        """The number of its first call; -1 if it has none."""
        return self._calls[0].id if self._calls else -1

    def under_way(self) -> tuple[Sequence[Call], Sequence[OpenBatch]]:
        """What has not ended of it, to be cancelled."""
        return [call for call in self.calls if call.done is None], ()
