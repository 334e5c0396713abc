"""The one loop of a process: poll the transport, react, flush the outbox. The only code that waits.

Reactors are plain functions `on_message(state, out, arrival, now)`; they neither wait nor send, they say what they want
sent. The loop's lock is held during a turn and by whoever touches a role's state from outside. Two threads drive it: the
main thread whenever it waits for something here, and an attendant whenever the main thread is elsewhere, in user code.
There is no hand-over between them: whoever has the lock takes a turn, so a waiting main thread reacts without a switch.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from mpikernel.errors import OurProtocolError, PeerProtocolError
from mpikernel.wire.deaths import OBITUARIES
from mpikernel.wire.doorbell import Doorbell
from mpikernel.wire.envelope import Departure, Frame, Parcel, Route
from mpikernel.wire.hold import Hold
from mpikernel.wire.messages import RECEIVERS, Leave, Message, Stop
from mpikernel.wire.transport import Arrival, Transport
from mpikernel.wire.waiting import Habit, Ladder

Reactor = Callable[[Any, "Outbox", Arrival, float], None]
Tick = Callable[[Any, "Outbox", float], None]
#: Where the large frames of a message are to land, as `transport.Rooms` with the role's state first.
Places = Callable[[Any, int, Message, Sequence[int]], Sequence[Frame] | None]
NOWHERE: Mapping[Any, Places] = {}

#: The attendant steps in when nobody has taken a turn for this long (seconds).
UNATTENDED = 2e-3
#: It looks less and less often whether it is needed while it is not (seconds).
SELDOM = 8e-3
#: How long its last turn is waited for when the loop closes (seconds).
JOIN_PATIENCE = 1.0
#: Its longest rest while it drives the loop: long enough not to disturb the user's code, short enough to serve it.
ATTENDANT_REST = 2e-3


class Outbox:
    """What reactors want sent, by rank, in order."""

    def __init__(self) -> None:
        self.mail: dict[int, list[Parcel]] = {}

    def send(
        self, rank: int, message: Message, frames: Sequence[Frame] = (), route: Route | None = None, departure: Departure | None = None
    ) -> None:
        """Have a message sent to a rank when the turn ends; `departure` tells when the frames have been read."""
        self.mail.setdefault(rank, []).append(Parcel(message, frames, route, departure))


class Mine(threading.local):
    """What a thread is doing here: running callbacks (`settling`), waiting inside of that."""

    settling = False
    waiting = False


class Loop:
    """See the module. `stop` is the order to stop, once it has come; `left` is true when this rank may leave MPI."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self.transport = transport
        self.clock = clock  # tells reactors what time it is, in seconds since the epoch
        self.hold = Hold()
        self.out = Outbox()
        self.stop: Stop | None = None
        self.left = False
        self.failure: BaseException | None = None  # what broke the loop in whichever thread; ends every wait
        self.broken: Callable[[BaseException], object] = lambda error: None  # told when it breaks while only the attendant is here
        self.bell: Doorbell | None = None  # where an idle thread sleeps until there is mail
        self.guest: Callable[[], bool] | None = None  # runs calls in threads that wait, where a world has one process only
        self._reactors: dict[type[Message], tuple[Reactor, Any]] = {}
        self._ticks: list[tuple[Tick, Any]] = []
        self._places: dict[type[Message], tuple[Places, Any]] = {}
        self._buried: set[int] = set()  # ranks that died, as somebody here was told
        transport.rooms = self._rooms
        self._afterwards: deque[Callable[[], None]] = deque()  # run after a turn, without the lock
        self._last_turn = time.monotonic()
        self._last_by = 0  # the thread that took it
        self._habit = Habit()  # of threads that wait
        self._wake_up = threading.Event()  # for the attendant
        self._parked = False  # a thread waits here and is idle: the attendant need not look
        self._pausing = False  # the attendant is to look by itself before long
        self._asked = False  # something waits for a turn, which the attendant is to take also while a thread is parked
        self._away = False  # it is in a callback of the user's
        self._attendant: threading.Thread | None = None
        self._closed = False
        self._mine = Mine()

    def host(self, state: Any, reactions: Mapping[Any, Reactor], tick: Tick | None = None, places: Mapping[Any, Places] = NOWHERE) -> None:
        """Give a role its place: who reacts to which type of message, where their large frames land, what it does as time passes."""
        for kind, reactor in reactions.items():
            self._reactors[kind] = (self._burying(reactor) if kind in OBITUARIES else reactor, state)
        for kind, place in places.items():
            self._places[kind] = (place, state)
        if tick is not None:
            self._ticks.append((tick, state))

    def _burying(self, reactor: Reactor) -> Reactor:
        """The same, after it has been seen to it that nothing comes of the dead any more."""

        def bury_first(state: Any, out: Outbox, arrival: Arrival, now: float) -> None:
            assert isinstance(arrival.message, OBITUARIES)
            self._buried.add(arrival.message.rank)
            self.transport.bury(arrival.message.rank)
            reactor(state, out, arrival, now)

        return bury_first

    def _rooms(self, sender: int, message: Message, sizes: Sequence[int]) -> Sequence[Frame] | None:
        entry = self._places.get(type(message))
        return entry[0](entry[1], sender, message, sizes) if entry is not None else None

    def afterwards(self, action: Callable[[], None]) -> None:
        """Have something done after this turn, outside the lock: resolving futures runs users' callbacks."""
        self._afterwards.append(action)

    # turns -------------------------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """One turn, if no other thread is at it. Whether anything happened.

        Raises:
            whatever broke the loop, in this thread or in another.
        """
        if self.failure is not None:
            raise self.failure
        if self._closed or not self.hold.take(blocking=False):
            return False
        try:
            happened = self._turn()
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self.hold.drop()
        if self._mine.settling and not self._mine.waiting:
            return happened  # in a callback: whoever runs it goes on with the others, so that they do not nest
        return self._run_afterwards() or happened

    def _turn(self) -> bool:
        self._asked = False  # first: who asks from now on may have come too late for this turn
        now, progress = self.clock(), self.transport.progress
        flushed = self._flush()  # what waits to leave need not wait for a look at what has come
        arrived = self.transport.poll()
        for arrival in arrived:
            self._react(arrival, now)
        for tick, state in self._ticks:
            tick(state, self.out, now)
        flushed = self._flush() or flushed
        self._last_turn, self._last_by = time.monotonic(), threading.get_ident()
        if arrived and self.bell is not None:
            self.bell.ring_here()  # what others wait for here may have come
        return bool(arrived) or flushed or self.transport.progress != progress

    def _react(self, arrival: Arrival, now: float) -> None:
        if self._buried and arrival.sender in self._buried:
            return
        message = arrival.message
        entry = self._reactors.get(type(message))
        if entry is not None:
            entry[0](entry[1], self.out, arrival, now)
        elif isinstance(message, Stop):
            self.stop = self.stop or message
        elif isinstance(message, Leave):
            for rank in message.died:
                self.transport.bury(rank)
            self.left = True
        else:
            role = RECEIVERS[type(message)]
            name = role.value if role else "rank"
            raise PeerProtocolError(arrival.sender, f"sent {type(message).__name__}, which is for a {name}, to rank {self.transport.rank}")

    def _flush(self) -> bool:
        if not self.out.mail:
            return False
        mail, self.out.mail = self.out.mail, {}
        for rank, parcels in mail.items():
            if not 0 <= rank < self.transport.size:
                raise OurProtocolError(f"rank {self.transport.rank} has mail for rank {rank} in a world of {self.transport.size}")
            self.transport.post(rank, parcels)
        return True

    def _run_afterwards(self) -> bool:
        if not self._afterwards:
            return False
        mine = self._mine
        before = mine.settling, mine.waiting
        mine.settling, mine.waiting = True, False
        shut = self.hold.shut()
        ran = False
        try:
            while self._afterwards:
                try:
                    action = self._afterwards.popleft()
                except IndexError:  # another thread took it
                    break
                self._unpark()  # what runs now may wait for something without driving the loop
                self._settle(action)
                ran = True
        finally:
            mine.settling, mine.waiting = before
            self.hold.reopen(shut)
        if ran and self.bell is not None:
            self.bell.ring_here()  # others may wait for what has been told
        return ran

    def _settle(self, action: Callable[[], None]) -> None:
        attending = threading.current_thread() is self._attendant
        away = self._away
        self._away = away or attending
        try:
            action()
        except BaseException:
            if not attending:
                raise
            sys.excepthook(*sys.exc_info())  # a callback of the user's raised it, in a thread that is not theirs to end
        finally:
            if attending:
                self._away = away

    @property
    def alone(self) -> bool:
        """Whether the calling thread is in no callback, and this process has no other one but the attendant."""
        ours = {threading.get_ident(), self._attendant.ident if self._attendant is not None else None}
        return not (self._away or self._mine.settling) and sys._current_frames().keys() <= ours

    def advance(self) -> bool:
        """A turn, and what the guest has to do. Whether anything happened."""
        happened = self.turn()
        return (self.guest is not None and self.guest()) or happened

    # waiting -----------------------------------------------------------------------------------------------------------

    def nudge(self) -> None:
        """Have what was put into the outbox leave soon: now, unless another thread is at it and will see to it."""
        if self._mine.settling and not self._mine.waiting:
            self.turn()
            return
        shut = self.hold.shut()
        try:
            self.advance()
            while self.guest is not None and self.advance():
                pass
            if self._parked:
                self._ask_attendant()  # who is parked may sleep on while what left moves
        finally:
            self.hold.reopen(shut)

    def remind(self) -> None:
        """Have what a tick sends leave soon, but not at once: the attendant sees to it, unless a thread waits here before it comes."""
        if self.guest is not None or self._away:
            self.nudge()
        else:
            self._ask_attendant()

    def _ask_attendant(self) -> None:
        """Have it take a turn before long, if nobody else does."""
        self._asked = True  # first: it looks at this after it has seen a thread parked
        if self._parked:
            self._wake_up.set()
        elif self.bell is not None and not self._pausing:
            self.bell.ring_here()

    def wait(self, condition: Callable[[], Any], timeout: float | None = None, settle: bool = True) -> bool:
        """Drive the loop until a condition holds. False if it did not within `timeout` seconds.

        Inside of a callback others are run meanwhile only if `settle` is true, because they may be what it waits for; they nest in it.

        Raises:
            whatever broke the loop, or a signal handler of the user's raised.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        ladder = Ladder(self._habit, bell=self.bell)
        shut = self.hold.shut()
        was_waiting, self._mine.waiting = self._mine.waiting, settle
        try:
            while not condition():
                happened = self.advance()
                self._let_signals_in()
                if deadline is not None and time.monotonic() >= deadline:  # asked first: a busy world must not put it off
                    return bool(condition())
                if happened:
                    ladder.reset()
                    continue
                self._parked = self._parked or ladder.resting  # until this wait ends, which wakes the attendant
                self._rest(ladder, inf if deadline is None else max(0.0, deadline - time.monotonic()))
            return True
        finally:
            self._mine.waiting = was_waiting
            self._unpark()
            self.hold.reopen(shut)

    def _let_signals_in(self) -> None:
        """Here the user's signal handlers may end a wait, or take their time."""
        if self.hold.visited:
            self._unpark()
            self.hold.let_in()

    def _rest(self, ladder: Ladder, at_most: float = inf) -> None:
        ladder.rest(self.transport.moving, at_most, self.transport.idle)

    def _unpark(self) -> None:
        """Have the attendant look again."""
        if self._parked:
            self._parked = False
            self._wake_up.set()

    # the attendant -----------------------------------------------------------------------------------------------------

    def start_attendant(self) -> None:
        """Start the thread that drives the loop while the main thread is in user code."""
        self._attendant = threading.Thread(target=self._attend, name="mpikernel-attendant", daemon=True)
        self._attendant.start()

    def _attend(self) -> None:
        pause = UNATTENDED
        while not self._closed:
            if self._parked and not self._asked:
                self._wake_up.wait()
            self._wake_up.clear()
            if self._attended():
                self._pausing = True
                time.sleep(pause)
                self._pausing = False
                pause = min(2 * pause, SELDOM)
                continue
            pause = UNATTENDED
            try:
                self._attend_while_alone(Ladder(None, ATTENDANT_REST, self.bell))  # the core is for the user's code
            except BaseException as error:
                self.broken(error)
                return

    def _attended(self) -> bool:
        """Whether another thread sees to the loop: it is in a turn, which may be long, or has just been in one."""
        return self.hold.taken or time.monotonic() - self._last_turn < UNATTENDED

    def _attend_while_alone(self, ladder: Ladder) -> None:
        """Take turns until another thread has taken one."""
        self._last_by = own = threading.get_ident()
        while not self._closed and self._last_by == own and not self.hold.taken:
            if self.turn():
                ladder.reset()
            self._rest(ladder)

    def close(self) -> None:
        """The last turn has been taken. An attendant that is in a callback of the user's is left there."""
        self._closed = True
        self._wake_up.set()
        if self.bell is not None:
            self.bell.ring_here()
        if self._attendant is not None and self._attendant is not threading.current_thread():
            self._attendant.join(JOIN_PATIENCE)
        self._attendant = None
        with self.hold:  # no other thread is in a turn any more
            pass
