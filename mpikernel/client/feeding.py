"""Feeds the tasks of a map from its source: a window of them is under way, and more is read as those end.

The source is read by whoever drives the loop then: the thread that made the map, one that waits for results, or the attendant. No two
threads read at once. What the source raises ends it, and is the error of the result. How it is read: reading.py.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from typing import Any

from mpikernel.client.arrivals import length, seconds, weight
from mpikernel.client.chunking import Sizes
from mpikernel.client.mapped import TaskMapResult
from mpikernel.client.pickled import Pickled
from mpikernel.client.port import Port
from mpikernel.client.reading import NO_BOUND, Reader
from mpikernel.client.state import Call, Part
from mpikernel.client.terms import TermsAtLast, TermsThen, WithRecovery, told
from mpikernel.errors import TaskAborted
from mpikernel.wire.envelope import Frame
from mpikernel.wire.payload import Frames, dump_call
from mpikernel.wire.terms import Terms

#: A message has so many tasks at most, and so many bytes of what they are called with; what is larger alone goes by itself.
MOST = 1000
ENOUGH = 1 << 15
SMALL = 1 << 14


class Submission:
    """How the tasks of a map are submitted: everything that they have in common."""

    def __init__(self, port: Port, function: Pickled, label: str, terms: TermsThen, stream: bool) -> None:
        self._port = port
        self._function = function
        self._label = label
        self._terms = terms
        self._stream = stream

    def send(self, result: TaskMapResult, rows: list[Frames]) -> None:
        """Submit tasks, each called with one of these payloads; none any more once the map is cancelled, or is to be read no more."""
        with suppress(TaskAborted):
            self._send(result, rows, _while_whole(result, self._terms))

    def _send(self, result: TaskMapResult, rows: list[Frames], terms: TermsThen) -> None:
        """Small ones go in batches, others by themselves."""
        batch: list[Frame] = []
        weight = 0
        for frames in rows:
            if self._stream or len(frames) > 1 or len(frames[0]) > SMALL:
                self._send_batch(result, batch, terms)
                batch, weight = [], 0
                self._port.submit(result, self._label, self._function, [frames], terms, self._stream)
                continue
            batch.append(frames[0])
            weight += len(frames[0])
            if weight > ENOUGH or len(batch) == MOST:
                self._send_batch(result, batch, terms)
                batch, weight = [], 0
        self._send_batch(result, batch, terms)

    def _send_batch(self, result: TaskMapResult, batch: list[Frame], terms: TermsThen) -> None:
        if batch:
            self._port.submit_batch(result, self._label, self._function, batch, terms)

    def payload(self, row: tuple[Any, ...]) -> Frames:
        """What one task is called with."""
        return dump_call(row, {}, self._label)


def _while_whole(result: TaskMapResult, terms: TermsThen) -> TermsThen:
    """The same terms, as long as more of the map is to be submitted: they are asked for under the loop's lock, as maps are cancelled."""
    if isinstance(terms, WithRecovery):
        return WithRecovery(partial(_unless_cut, result, terms.terms), terms.recovery)
    return partial(_unless_cut, result, terms)


def _unless_cut(result: TaskMapResult, terms: TermsAtLast) -> Terms:
    if result.cut or (result.source is not None and result.source.over):
        raise TaskAborted("nothing more of the map is submitted")
    return told(terms)


class Limits:
    """How much of a map may be under way at once: tasks, and items (None: no limit)."""

    def __init__(self, tasks: int, items: int | None) -> None:
        self.tasks = tasks
        self.items = NO_BOUND if items is None else items


class Feed:
    """The source of one map. With `by_itself` it goes on as tasks end; else only when it is told to."""

    def __init__(
        self, port: Port, result: TaskMapResult, submission: Submission, reader: Reader, sizes: Sizes, limits: Limits, by_itself: bool
    ) -> None:
        self.over = False
        self.abandoned = False  # nobody will ask for more of its values
        self.pulled = False  # its values are let go of as they are taken
        self._port = port
        self._result = result
        self._submission = submission
        self._reader = reader
        self._sizes = sizes
        self._limits = limits
        self._by_itself = by_itself
        self._reading = threading.Lock()
        self._asked = False  # to go on after this turn
        result.source = self
        with port.loop.hold:
            port.state.feeding += by_itself  # what goes on only when it is asked is nothing to wait for

    def ended(self, piece: Part | Call, items: int) -> None:
        self._sizes.measured(items, length(piece), lambda: seconds(piece), weight(piece))
        if self._by_itself and not self.over and not self._asked and self._wanted():
            self._asked = True
            self._port.loop.afterwards(self.go_on)

    def _wanted(self) -> bool:
        return not self.over and self._has_room() and self._result.tasks.in_flight <= self._limits.tasks * 3 // 4

    def _has_room(self) -> bool:
        """Whether there is room for more than a few items: those that are read one by one travel, run and come back one by one."""
        return self._room >= max(1, self._limits.items // 4)

    @property
    def _room(self) -> int:
        """Items that may be read: what is ahead of those that have ended, or been taken by whoever asks for them."""
        tasks = self._result.tasks
        return self._limits.items - tasks.items + (tasks.ended_items if self._by_itself else tasks.taken_items)

    def start(self) -> None:
        """Submit the first tasks.

        Raises:
            what the source raises, and SerializeError for what cannot be sent: nothing has been submitted then.
        """
        self._read(self._limits.tasks, strict=True)
        self.go_on()

    def go_on(self) -> None:
        """Submit more as long as there is room. What is raised is the result's to tell: the loop calls this too."""
        self._asked = False
        while self._wanted():
            try:
                going = self._read(self._limits.tasks - self._result.tasks.in_flight)
            except Exception:  # the result has it, or the world ends
                return
            if not going or self._result.tasks.in_flight:  # what ends from now on will come here again
                return

    def read(self, count: int) -> None:
        """Submit at most so many tasks more, now; at least one, if there is any and room for it.

        What the source raises is told in its place, after what was read before.
        """
        if not self.over and self._has_room():
            with suppress(Exception):  # the result has it, or the world ends
                self._read(count)

    def read_on(self) -> None:
        """From now on read by itself, as tasks end; or no more, if nobody will ask for it."""
        if self.abandoned:
            self.stop()
        with self._port.loop.hold:
            if self.over or self._by_itself:
                return
            self._by_itself = True
            self._port.state.feeding += 1
        self.go_on()

    def refuse(self, error: Exception) -> None:
        """Read no more: whoever asks for what was not read is told why."""
        with self._port.loop.hold:
            if not self.over:
                self._came_to(error)
        self.stop()

    def _read(self, count: int, strict: bool = False) -> bool:
        """Read and submit. False if another thread is at it.

        Args:
            count: tasks at most; fewer if reading takes long.
            strict: submit nothing if anything goes wrong.
        """
        if self.over or count < 1 or not self._reading.acquire(blocking=False):
            return False
        going = False
        try:
            payloads = self._reader.read(count, self._room)
            error = self._reader.error
            if not self._still_wanted(error):
                return False
            if error is not None and strict:
                raise error
            self._submission.send(self._result, payloads)
            going = not self._reader.exhausted
        except BaseException as problem:
            self._came_to(problem)
            raise
        finally:
            self._reading.release()
            if not going:
                self.stop()
        if error is not None:
            raise error
        self._port.nudge()
        return True

    def _still_wanted(self, error: BaseException | None) -> bool:
        """Whether what was read is to be submitted: another thread may have cancelled it meanwhile, or refused to read on, and told why.

        Args:
            error: what the source raised. It is the result's from now on.
        """
        with self._port.loop.hold:
            if self.over or self._result.shortage:
                return False
            if error is not None:
                self._came_to(error)
            return True

    def _came_to(self, error: BaseException) -> None:
        """This is why not all was read, unless something else was before."""
        if self._result.source_error is None:
            self._result.source_error = error

    def stop(self) -> None:
        with self._port.loop.hold:
            if self.over:
                return
            self.over = True
            self._port.state.feeding -= self._by_itself
            self._result.settle_when_over()
