"""What a client has asked another rank and not heard yet. Touched under the loop's lock; waiting is for whoever asks."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Answer, AskStanding, FetchCalls, FetchShared, Purge, Query, Standing
from mpikernel.wire.transport import Arrival

Question = Query | Purge | FetchCalls | FetchShared | AskStanding


class Questions(Struct, eq=False):
    run: int = 0  # the number of this run, once an answer has told it
    next: int = 0
    open: dict[int, Arrival | None] = field(default_factory=dict)  # by number, with the answer once it is there

    def ask(self, out: Outbox, receiver: int, make: Callable[[int], Question]) -> int:
        """Send a question that is made with its number, and return that."""
        number = self.next
        self.next += 1
        self.open[number] = None
        out.send(receiver, make(number))
        return number


def on_answer(questions: Questions, out: Outbox, arrival: Arrival, now: float) -> None:
    answer = arrival.message
    assert isinstance(answer, Answer)
    questions.run = answer.run or questions.run
    if answer.query in questions.open:  # else whoever asked has gone
        questions.open[answer.query] = arrival


def on_standing(questions: Questions, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Standing)
    if arrival.message.query in questions.open:
        questions.open[arrival.message.query] = arrival


REACTIONS = {Answer: on_answer, Standing: on_standing}
