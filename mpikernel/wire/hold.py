"""The lock of a loop, and how signals are kept from breaking into the middle of our work.

Our own may interrupt the main thread wherever it does not have the lock. The user's handlers, which may raise whatever they
like, run only where it is in the user's code or waits for something: elsewhere they are put off until it is there again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from mpikernel.errors import UsageError


class Mine(threading.local):
    """Whether a thread is in our own code, where the user's signal handlers must not break in."""

    busy = False


class Hold:
    """The loop's lock for a thread that touches a role's state from outside, as a with-statement.

    A signal that comes while the main thread holds it is put off until it lets go: state is never left half changed.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.interrupted: BaseException | None = None  # what a signal last raised, or is about to
        self.mine = Mine()
        self.visits: dict[int, Callable[[], object]] = {}  # the user's handlers that are put off, by signal
        self._shielded = False  # the main thread has the lock, or is about to
        self._owner = 0  # the thread that has it
        self._put_off: BaseException | None = None
        self._main = threading.main_thread().ident

    @property
    def taken(self) -> bool:
        """Whether a thread has it."""
        return self._owner != 0

    def __enter__(self) -> None:
        """As `take` with blocking; a small call takes it so often that calling that one would be dear."""
        own = threading.get_ident()
        if own == self._main and self._owner != own:
            self._shielded = True
            self.lock.acquire()
            self._owner = own
        else:
            self.take(blocking=True)

    def __exit__(self, *_: object) -> None:
        self.drop()

    def take(self, blocking: bool) -> bool:
        """Take the lock; False if it is taken and `blocking` is false. The shield is up before and down after."""
        own = threading.get_ident()
        if self._owner == own:
            if not blocking:
                return False
            raise UsageError("a client was used by a finalizer that came in the middle of another use of it")
        main = own == self._main
        if main:
            self._shielded = True
        if self.lock.acquire(blocking):
            self._owner = own
            return True
        if main:
            self._lower()
        return False

    def drop(self) -> None:
        """Give the lock back, and let a signal come through that was put off."""
        main = self._owner == self._main
        self._owner = 0
        self.lock.release()
        if main:
            self._lower()

    def _lower(self) -> None:
        self._shielded = False
        if self._put_off is not None:
            error, self._put_off = self._put_off, None
            raise error
        if self.visits and not self.mine.busy:
            self.let_in()

    def interrupt(self, error: BaseException) -> None:
        """For signal handlers: raise in the main thread, now or as soon as it lets go of the lock."""
        self.interrupted = error
        if not self._shielded:
            raise error
        self._put_off = error

    # the user's handlers -----------------------------------------------------------------------------------------------

    def visit(self, signum: int, handler: Callable[[], object]) -> None:
        """A signal of the user's has come: call its handler, now or as soon as the main thread is not in our code. Main thread only."""
        self.visits[signum] = handler
        if not self._shielded and not self.mine.busy:
            self.let_in()

    @property
    def visited(self) -> bool:
        """Whether handlers of the user's have been put off and this thread is the one that runs them."""
        return bool(self.visits) and threading.get_ident() == self._main

    def let_in(self) -> None:
        """Call the handlers that were put off. Without the lock; what a handler raises is for whoever called us."""
        if not self.visited:
            return
        mine = self.mine
        before, mine.busy = mine.busy, True  # one that comes meanwhile waits for its turn
        try:
            while self.visits:
                _, handler = self.visits.popitem()
                mine.busy = False
                handler()
                mine.busy = True
        finally:
            mine.busy = before

    def shut(self) -> bool:
        """From now on this thread is in our code; returns what is to be given to `reopen`."""
        before, self.mine.busy = self.mine.busy, True
        return before

    def reopen(self, before: bool) -> None:
        """Undo `shut`; what came meanwhile comes now."""
        self.mine.busy = before
        if not before:
            self.let_in()
