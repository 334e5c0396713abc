"""What a client says of tasks beside what they call: terms, or what makes them when the tasks are sent.

A recovery that terms name is a function like that of the tasks: it goes ahead of them to the task interface, if that does not have it.
All but the making is called under the loop's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import SubmitFunction
from mpikernel.wire.payload import size
from mpikernel.wire.terms import Terms

if TYPE_CHECKING:
    from mpikernel.client.pickled import Pickled
    from mpikernel.client.state import ClientState

#: What is not known before tasks are sent: how things stand then with others that they need.
TermsAtLast = Terms | Callable[[], Terms]


class WithRecovery:
    """Terms that name a recovery, and that."""

    __slots__ = ("recovery", "terms")

    def __init__(self, terms: TermsAtLast, recovery: Pickled) -> None:
        self.terms = terms
        self.recovery = recovery

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WithRecovery) and self.terms == other.terms  # which name it

    def __hash__(self) -> int:
        return hash(self.recovery.digest)


TermsThen: TypeAlias = TermsAtLast | WithRecovery


def lasting(terms: TermsThen) -> bool:
    """Whether they say the same whenever tasks are sent."""
    return isinstance(terms.terms if isinstance(terms, WithRecovery) else terms, Terms)


def told(terms: TermsThen) -> Terms:
    """The terms of tasks that are sent now."""
    at_last = terms.terms if isinstance(terms, WithRecovery) else terms
    return at_last if isinstance(at_last, Terms) else at_last()


def bring_recovery(state: ClientState, out: Outbox, receiver: int, terms: TermsThen) -> None:
    """Send the recovery that terms name ahead of the tasks that are sent now. `receiver` stands for the task interface in `state.sent`.

    It comes before the function of the tasks: both ends look them up in this order.
    """
    if isinstance(terms, WithRecovery):
        digest, frames = terms.recovery.digest, terms.recovery.frames
        if not state.knows(receiver, digest, size(frames)):
            out.send(state.task, SubmitFunction(digest), frames)
