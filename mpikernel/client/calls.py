"""What a result knows of its calls, whether they have ended or not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from mpikernel.client.state import Call, OpenBatch

PENDING, FINISHED = "PENDING", "FINISHED"  # as `concurrent.futures` calls them
OVER = frozenset((FINISHED, "CANCELLED", "CANCELLED_AND_NOTIFIED"))


class FutureOfCalls(Future):  # type: ignore[type-arg]  # what it brings is only known at run time
    """A future, and the calls that it is the future of.

    It has a condition only if somebody asks for it, who wants to be told or waits by the means of futures: hardly ever where calls are
    small and many. To make one for each would be half of what a small call costs the script, in time and for the garbage collector. For
    the same reason what most calls never change stands in the class.
    """

    _state = PENDING  # these, and the condition, are what Future.__init__ sets
    _result: Any = None
    _exception: BaseException | None = None
    _waiters: Sequence[Any] = ()  # type: ignore[assignment]  # from here on they are lists once there is a condition, under which they are changed
    _done_callbacks: Sequence[Any] = ()
    _made: threading.Condition | None = None
    _calls: Sequence[Call] = ()
    _told = False  # its callbacks have run
    _teller = 0  # the thread that runs them

    def __init__(self) -> None:
        """Nothing to set; Future's own would make the condition."""

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]  # Future sets it when it is made
        return self._made or self._make()

    def _make(self) -> threading.Condition:
        own = vars(self)
        own.setdefault("_waiters", [])  # one step each, so that threads agree, and signal handlers
        own.setdefault("_done_callbacks", [])
        made: threading.Condition = own.setdefault("_made", threading.Condition())
        return made

    def finish_unseen(self) -> bool:
        """Become done well. False if somebody is to be told, which is left to do.

        Needs no lock: whoever wants to be told makes the condition and then looks at the state, and here it is the other way round.
        """
        if self._made is not None:
            return False
        self._state = FINISHED
        self._told = self._made is None  # else somebody has come meanwhile, and may not have seen it
        return self._told

    def _finish(self) -> None:
        """Become done well, and tell it."""
        if self._state != FINISHED:
            self.set_result(None)  # the value itself is rebuilt when it is asked for
            return
        with self._condition:
            for waiter in self._waiters:
                waiter.add_result(self)
        self._invoke_callbacks()  # type: ignore[attr-defined]  # Future's own, of which typeshed does not know

    def _tell(self) -> None:
        """Become done, which runs the callbacks; without the loop's lock."""
        self._teller = threading.get_ident()
        try:
            self._settle()
        finally:
            self._told = True

    def _settle(self) -> None:
        """Become done."""
        raise AssertionError(f"{type(self).__name__} does not say how it becomes done")

    @property
    def told(self) -> bool:
        """Whether it is done and the callbacks that were added before have run; but for the one that asks, if one of them does."""
        return self._told or self._teller == threading.get_ident()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state in OVER and self._state != FINISHED

    @property
    def calls(self) -> Sequence[Call]:
        """Its calls, in order."""
        return self._calls

    def __len__(self) -> int:
        return len(self.calls)

    @property
    def _count(self) -> int:
        """How many calls, or tasks, have been made for it."""
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
