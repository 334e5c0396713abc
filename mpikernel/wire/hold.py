"""The lock of a loop, and how a signal is kept from breaking into the middle of a turn."""

from __future__ import annotations

import threading

from mpikernel.errors import UsageError


class Hold:
    """The loop's lock for a thread that touches a role's state from outside, as a with-statement.

    A signal that comes while the main thread holds it is put off until it lets go: state is never left half changed.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.interrupted: BaseException | None = None  # what a signal last raised, or is about to
        self._shielded = False  # the main thread has the lock, or is about to
        self._owner = 0  # the thread that has it
        self._put_off: BaseException | None = None
        self._main = threading.main_thread().ident

    @property
    def taken(self) -> bool:
        """Whether a thread has it."""
        return self._owner != 0

    def __enter__(self) -> None:
        self.take(blocking=True)

    def __exit__(self, *_: object) -> None:
        self.drop()

    def take(self, blocking: bool) -> bool:
        """Take the lock; False if it is taken and `blocking` is false. The shield is up before and down after."""
        own = threading.get_ident()
        if self._owner == own:
            if not blocking:
                return False
            raise UsageError("a client was used by a finalizer or signal handler that came in the middle of another use of it")
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
        self._owner = 0
        self.lock.release()
        if threading.get_ident() == self._main:
            self._lower()

    def _lower(self) -> None:
        self._shielded = False
        if self._put_off is not None:
            error, self._put_off = self._put_off, None
            raise error

    def interrupt(self, error: BaseException) -> None:
        """For signal handlers: raise in the main thread, now or as soon as it lets go of the lock."""
        self.interrupted = error
        if not self._shielded:
            raise error
        self._put_off = error
