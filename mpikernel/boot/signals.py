"""Signals that ask the world to end, how user code is interrupted when it does, and how one call of an engine is.

A signal may come to one rank or to all. Whoever gets one tells the controller, which ends the world in order. In a rank
that is in user code, KeyboardInterrupt is raised there, so that its `finally` and `with` run.

Handlers that the user's code sets are called where they do not break into the middle of our work, and what they raise there is
the user's code's.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

from mpikernel.errors import OverdueError
from mpikernel.wire.failure import one_line
from mpikernel.wire.loop import Loop, Outbox
from mpikernel.wire.messages import Signalled
from mpikernel.world.exit_codes import SIGNAL_BASE

#: Asks a process from inside to interrupt the call that it runs. SIGINT would be taken for one from outside; nobody sends this one, and
#: who is sent it ignores it.
CUT = signal.SIGURG
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
#: User code that does not end is interrupted again after this share of the grace: its `finally` and `with` are to have their time.
AGAIN = 0.8
#: Seconds between two looks for signals that Python's handlers have not seen yet, because the main thread is in C code.
LOOK = 0.05

Handler = Callable[[int, FrameType | None], object]


class Guarded:
    """A handler of the user's, as python knows it: `guard` decides when it is called."""

    def __init__(self, handler: Handler, guard: Callable[[Handler, int, FrameType | None], None]) -> None:
        self.handler = handler
        self._guard = guard

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        self._guard(self.handler, signum, frame)


class Visitors:
    """The handlers that the user's code sets in this process, before and after our start."""

    def __init__(self, loop: Loop, in_user_code: Callable[[], bool], own: Handler) -> None:
        self._loop = loop
        self._in_user_code = in_user_code
        self._own = own  # our handler, which users' code may find and put back
        self._process = os.getpid()

    def receive(self) -> None:
        """From now on python's handlers go through us, and user code sees its own; main thread only."""
        set_real, get_real = signal.signal, signal.getsignal

        def set_handler(signalnum: int, handler: Any) -> Any:
            return unwrapped(set_real(signalnum, self._wrapped(handler)))

        def get_handler(signalnum: int) -> Any:
            return unwrapped(get_real(signalnum))

        for ours, real in ((set_handler, set_real), (get_handler, get_real)):
            ours.__name__ = ours.__qualname__ = real.__name__
            ours.__doc__, ours.__module__ = real.__doc__, signal.__name__  # pickle knows them by these names
        for number in signal.valid_signals():
            handler = get_real(number)
            if callable(handler) and handler != self._own:
                set_real(number, self._wrapped(handler))
        signal.signal, signal.getsignal = set_handler, get_handler

    def _wrapped(self, handler: Any) -> Any:
        return Guarded(handler, self._guard) if callable(handler) and handler != self._own else handler

    def _guard(self, handler: Handler, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # the user's code has forked this one: nothing of ours is here to be spared
            handler(signum, frame)
            return
        self._loop.hold.visit(signum, partial(self._call, handler, signum, frame))
        if self._loop.hold.visited and self._loop.bell is not None:
            self._loop.bell.ring_here()  # the main thread may sleep there

    def _call(self, handler: Handler, signum: int, frame: FrameType | None) -> None:
        """Call it; outside of the user's code, where a call has left it behind, there is nobody to whom it could raise."""
        if self._in_user_code():
            handler(signum, frame)
            return
        try:
            handler(signum, frame)
        except BaseException as error:
            name = signal.Signals(signum).name if signum in set(signal.Signals) else f"signal {signum}"
            line = (
                f"mpikernel: warning: {name} came while no call ran here, and the handler that was left for it raised {one_line(error)}\n"
            )
            with suppress(OSError):  # the user's code may have closed it
                os.write(2, line.encode(errors="backslashreplace"))


def unwrapped(handler: Any) -> Any:
    """A handler as the user's code knows it."""
    return handler.handler if isinstance(handler, Guarded) else handler


class Signals:
    """One process's signals. `in_user_code` tells whether the main thread is where a KeyboardInterrupt belongs."""

    def __init__(self, loop: Loop, controller: int, patience: float, in_user_code: Callable[[], bool]) -> None:
        self.first: int | None = None  # the signal that came first
        self.lands: Callable[[], bool] = lambda: False  # whether what the main thread runs is to be interrupted now
        self.lives: Callable[[], object] = lambda: None  # told that the main thread runs Python code, if it was asked for a sign
        self._loop = loop
        self._controller = controller
        self._patience = patience  # with a controller that is told and does not answer (seconds)
        self._again = AGAIN * patience  # seconds between two interrupts of user code
        self._in_user_code = in_user_code
        self._told = 0.0  # monotonic time at which the controller was told
        self._interrupted = 0.0  # monotonic time of the last interrupt of user code
        self._asked = 0.0  # monotonic time at which this process was last sent a signal by itself
        self._looked = 0.0
        self._mask: set[Any] = set()  # signals that were blocked before a fork
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._main = threading.main_thread().ident or 0

    def install(self) -> None:
        """Take over the handlers; main thread only."""
        before = {signum: signal.signal(signum, self._handle) for signum in ENDING}
        signal.signal(CUT, self._cut)  # let in as the user's own are: not where it would break into our work
        Visitors(self._loop, self._in_user_code, self._handle).receive()
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        os.register_at_fork(before=self._hold_back, after_in_parent=self._go_on, after_in_child=lambda: self._let_go(before))
        self._loop.host(self, {}, lambda _state, out, _now: self.tick(out))

    def _hold_back(self) -> None:
        """User code is about to fork: what comes to the child waits until the child has let go of our handlers."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    def _go_on(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _let_go(self, before: dict[signal.Signals, Any]) -> None:
        """In a child that the user's code has forked: its signals are its own, and must not reach us through the pipe that it inherited."""
        pipe = signal.set_wakeup_fd(-1)
        if pipe not in (-1, self._write):
            signal.set_wakeup_fd(pipe)  # the user's
        for signum, handler in before.items():
            if signal.getsignal(signum) == self._handle:
                signal.signal(signum, handler or signal.SIG_DFL)
        self._go_on()

    def ignore(self) -> None:
        """From now on signals change nothing: the world is leaving."""
        signal.set_wakeup_fd(-1)
        for signum in ENDING:
            signal.signal(signum, signal.SIG_IGN)

    def restore(self) -> None:
        """MPI is left: a signal ends the process as it ends any other."""
        for signum in ENDING:
            signal.signal(signum, signal.SIG_DFL)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._loop.stop is None:
            self.first = self.first or signum
        if self._loop.bell is not None:
            self._loop.bell.ring_here()  # the main thread may sleep there
        now = time.monotonic()
        if self._in_user_code() and now - self._interrupted > self._again:  # one may come in several ways; `finally` is to get its time
            self._interrupted = now
            self._loop.hold.interrupt(KeyboardInterrupt(signal.Signals(signum).name))

    def send_cut(self) -> None:
        """Have `lands` asked in the main thread, as soon as it runs Python code."""
        signal.pthread_kill(self._main, CUT)

    def ask_for_sign(self) -> bool:
        """Have `lives` told as soon as the main thread runs Python code; without a signal, which would end its system calls.

        False if the user's code has taken the signal's place.
        """
        heard = signal.getsignal(CUT) == self._cut
        if heard:
            _thread.interrupt_main(CUT)
        return heard

    def _cut(self, signum: int, frame: FrameType | None) -> None:
        """Do in the call what Ctrl-C does in a program: the user's code may have a handler of its own for it."""
        self.lives()
        if not self.lands():
            return
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and handler != self._handle:
            handler(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt

    def tick(self, out: Outbox) -> None:
        """Tell the controller; interrupt user code once the world stops.

        Raises:
            OverdueError: the controller does not answer, so this rank has to end the world.
        """
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._looked = now
            self._look()
        if self.first is not None and self._loop.stop is None:
            self._tell(out, self.first, now)
        if self._loop.stop is not None and self._in_user_code() and now - max(self._asked, self._interrupted) > self._again:
            self._asked = now
            signal.pthread_kill(self._main, signal.SIGINT)

    def _tell(self, out: Outbox, signum: int, now: float) -> None:
        """Tell the controller once, and see that it answers."""
        if not self._told:
            self._told = now
            out.send(self._controller, Signalled(signum))
        elif now - self._told > self._patience:
            name = signal.Signals(signum).name
            raise OverdueError(f"{name} came, and the controller (rank {self._controller}) did not answer", SIGNAL_BASE + signum)

    def _look(self) -> None:
        """Signals that have come but whose handlers wait for the main thread to leave C code."""
        try:
            came = os.read(self._read, 64)
        except BlockingIOError:
            return
        if self._loop.stop is None:
            self.first = self.first or next((signum for signum in came if signal.getsignal(signum) == self._handle), None)
