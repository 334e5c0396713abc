"""A gather under way: engines answer with values or describe large parts; those then land in the array that is made for them.

    every engine has answered -> plan the whole -> ask for what was described -> it lands in its slot, or is copied there

Nobody waits meanwhile: each step is taken by whoever drives the loop, after its turn. Parts that do not lie in the whole just as
they were described (an engine's other threads may have changed them) are joined as if nothing had been planned.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mpikernel.arrays.gathering import Part, Whole, describe, plan_whole
from mpikernel.arrays.partition import join
from mpikernel.client.port import Port
from mpikernel.client.state import Call
from mpikernel.errors import SerializeError, UsageError
from mpikernel.wire.envelope import Frame
from mpikernel.wire.memory import take
from mpikernel.wire.messages import Gather, Give
from mpikernel.wire.payload import load

#: Arrays of fewer bytes come at once, and are copied into the whole: that costs less than a second round trip.
LARGE = 1 << 18


class Gathering:
    """One of them. What is marked *hold* is called under the loop's lock, by the client's reactor."""

    def __init__(self, port: Port, name: str, dist: str) -> None:
        self._port = port
        self._name = name
        self._dist = dist
        self._calls: list[Call] = []
        self._described: dict[int, Sequence[Frame]] = {}  # the description of a large part, by call
        self._to_ask: list[Call] = []  # parts that have been planned for and not been asked for
        self._unanswered = 0  # calls of which nothing is known
        self._whole: Whole | None = None
        self._landing: dict[int, memoryview] = {}  # where the part of a call is to land
        self._placed: set[int] = set()  # calls whose parts are in the whole
        self._refusal: Exception | None = None  # why there can be no whole
        self._placing = threading.RLock()  # only one thread writes into the whole, and none after it was handed out

    def ask(self, call: Call) -> tuple[Gather, Sequence[Frame]]:
        """Hold: the message that begins it on one engine."""
        self._calls.append(call)
        self._unanswered += 1
        self._port.state.gathers[call.id] = self
        return Gather(call.id, self._name, LARGE), ()

    def described(self, call: Call, frames: Sequence[Frame]) -> None:
        """Hold: a part is large."""
        self._described[call.id] = frames
        self._answered()

    def ended(self, call: Call) -> None:
        """Hold: a value, a part or a failure is here."""
        self._landing.pop(call.id, None)
        if call.id not in self._described:
            self._answered()
        elif self._whole is not None and not self._whole.open_to_landing:
            self._port.state.afterwards(self._go_on)

    def place(self, call: int, sizes: Sequence[int]) -> list[memoryview] | None:
        """Hold: where the large frames of a call's answer are to land; None for memory of their own."""
        landing = self._landing.get(call)
        return [landing] if landing is not None and [len(landing)] == list(sizes) else None

    def _answered(self) -> None:
        self._unanswered -= 1
        if self._unanswered == 0 and self._described:
            self._port.state.afterwards(self._decide)

    def _decide(self) -> None:
        """Everybody has answered: see whether the parts fit together, and ask for them."""
        try:
            self._whole = self._plan()
        except Exception as error:  # for whoever asks for the value
            self._refusal = error
        with self._port.loop.hold:
            large = [call for call in self._calls if call.id in self._described]
            if self._whole is None:  # parts that do not fit together can still be had one by one
                self._give(large, wanted=self._refusal is None or isinstance(self._refusal, UsageError))
            elif self._whole.open_to_landing:
                self._landing.update((call.id, self._whole.landing(index)) for index, call in enumerate(self._calls) if call.done is None)
                self._give(large)
            else:
                self._to_ask = large
        self._go_on()

    def _plan(self) -> Whole | None:
        if any(call.failed or call.aborted for call in self._calls):
            return None
        return plan_whole([self._part(call) for call in self._calls], self._labels, self._dist, take)

    def _part(self, call: Call) -> Part | None:
        frames = self._described.get(call.id)
        if frames is None:
            return describe(call.value())
        part: Part = load(frames, what=f"the description of {self._name} (engine {call.engine})")
        return part

    @property
    def _labels(self) -> list[str]:
        return [f"engine {call.engine}" for call in self._calls]

    def _give(self, calls: Sequence[Call], wanted: bool = True) -> None:
        """Have engines send what they described; those that have will not heed it."""
        order = self._whole.order if self._whole is not None else "K"
        for call in calls:
            self._port.loop.out.send(self._port.state.engines[call.engine], Give(call.id, wanted, order))

    def _go_on(self) -> None:
        """Where parts cannot land in the whole they come one after the other, so that only one is there beside it."""
        with suppress(SerializeError):  # a part that cannot be rebuilt; whoever asks for the value is told
            self._place_all()
        with self._port.loop.hold:
            self._to_ask = [call for call in self._to_ask if call.done is None]
            self._give(self._to_ask[:1])
            del self._to_ask[:1]
        self._port.nudge()

    def _place_all(self) -> None:
        """Put into the whole what is here and not in it."""
        whole = self._whole
        if whole is None:
            return
        with self._placing:
            for index, call in enumerate(self._calls):
                here = call.done is not None and not call.failed and not call.aborted
                if here and call.id not in self._placed and whole.place(index, call.value()):
                    call.value_ = whole.slots[index]  # and no longer memory of its own
                    self._placed.add(call.id)

    def together(self, values: list[Any]) -> Any:
        """The value of the gather.

        Raises:
            UsageError: the parts do not fit together.
            SerializeError: there is no memory for the whole.
        """
        if self._refusal is not None:
            raise self._refusal
        self._place_all()
        if self._whole is not None and len(self._placed) == len(self._calls):
            return self._whole.array
        return join(values, self._dist, self._labels)
