"""LoadBalancedView: calls go to whichever engine is free; the task interface decides."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple, TypeVar

from msgspec.structs import replace

from mpikernel.client import flags
from mpikernel.client.executor import EngineExecutor
from mpikernel.client.flags import Flag
from mpikernel.client.labels import label_of
from mpikernel.client.losing import check_alive
from mpikernel.client.maps import MappingView
from mpikernel.client.needs import Dependency, Needed
from mpikernel.client.result import AsyncResult
from mpikernel.client.terms import TermsAtLast, TermsThen, WithRecovery
from mpikernel.client.view import names_all
from mpikernel.wire.payload import dump_call
from mpikernel.wire.terms import Terms

R = TypeVar("R", bound=AsyncResult)


class Usual(NamedTuple):
    """What all calls of a view have in common, as long as its flags are what they are."""

    label: str | None
    stream: bool
    terms: Terms  # but for needs and a recovery
    whole: bool  # there are none of those


class LoadBalancedView(MappingView):
    """A view in which each call is a task for an engine that is free. Calls give bare values."""

    FLAGS: ClassVar[tuple[str, ...]] = (
        "block", "stream", "retries", "recovery", "targets", "after", "follow", "priority", "timeout", "queue_timeout", "label"
    )  # fmt: skip

    retries = Flag[int](0, flags.retries)
    recovery = Flag[Callable[..., Any] | None](None, flags.function_or_none)
    priority = Flag[int](0, flags.priority)
    timeout = Flag[float | None](None, flags.seconds_or_none)
    queue_timeout = Flag[float | None](None, flags.seconds_or_none)
    label = Flag[str | None](None, flags.text_or_none)
    _after: Needed | None = None
    _follow: Needed | None = None

    @property
    def _bare(self) -> bool:
        return False

    @property
    def after(self) -> Dependency | None:
        """Tasks that must have ended before those of this view begin, or None.

        Set it to an AsyncResult of tasks, the id of a task, a list of these, a Dependency, or None.
        A map whose sequences have not been read to their end is waited for, until they are, by the next call that is made.

        Raises:
            UsageError: something else is given, a call of a direct view, or an id of which this run knows nothing; nothing was changed.
        """
        return None if self._after is None else self._after.dependency

    @after.setter
    def after(self, dependency: Any) -> None:
        self._after = self._needed(dependency)

    @property
    def follow(self) -> Dependency | None:
        """As `after`; and they run on engines on which these tasks ran."""
        return None if self._follow is None else self._follow.dependency

    @follow.setter
    def follow(self, dependency: Any) -> None:
        self._follow = self._needed(dependency)

    def _needed(self, dependency: Any) -> Needed | None:
        if dependency is None:
            return None
        return Needed(self._port, dependency if isinstance(dependency, Dependency) else Dependency(dependency))

    @property
    def executor(self) -> EngineExecutor:
        """A new executor of `concurrent.futures` whose calls are tasks of this view, with its flags."""
        return EngineExecutor(self)

    def apply_async(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Queue one call of function(*args, **kwargs) without waiting."""
        port, usual = self._port, self._usual
        pickled = port.functions.unchanged(function)
        if pickled is None or pickled.simple is None:
            label = self._name_of(function)
            pickled = port.functions.get(function, label)
        else:
            label = pickled.simple.label if usual.label is None else usual.label
        arguments = dump_call(args, kwargs, label)
        result = AsyncResult(port, label, True)
        leaves = port.submit_single(result, label, pickled, arguments, self._terms, usual.stream)
        return result.launched() if leaves else result

    def _name_of(self, function: Callable[..., Any]) -> str:
        name = label_of(function)
        return name if self.label is None else self.label

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        vars(self).pop("_usual", None)  # it is made of what has been set

    @cached_property
    def _usual(self) -> Usual:
        terms = Terms(self._restriction, self.retries, self.priority, self.timeout or 0.0, self.queue_timeout or 0.0)
        return Usual(self.label, self.stream, terms, self.recovery is None and self._after is None and self._follow is None)

    @property
    def _terms(self) -> TermsThen:
        """Those of the calls that are made now."""
        if self._lost:
            self._check_some_live()
        terms = self._usual.terms
        if self._usual.whole:
            return terms
        if self.recovery is None:
            return self._with_needs(terms)
        recovery = self._port.functions.get(self.recovery, f"recovery={label_of(self.recovery)}")
        return WithRecovery(self._with_needs(replace(terms, recovery=recovery.digest)), recovery)

    def _with_needs(self, terms: Terms) -> TermsAtLast:
        after, follow = self._after, self._follow
        if after is None and follow is None:
            return terms
        for needed in (after, follow):
            if needed is not None:
                needed.wait_for_sources()
        return partial(_with_needs, terms, after, follow)

    def _check_some_live(self) -> None:
        """Refuse tasks that no engine is left for."""
        state, only = self._port.state, self._restriction
        check_alive(state, only if all(engine in self._lost for engine in only) else ())

    @property
    def _restriction(self) -> tuple[int, ...]:
        """The engines that tasks may go to; empty for any."""
        return () if names_all(self._targets) else tuple(self._chosen)


def _with_needs(terms: Terms, after: Needed | None, follow: Needed | None) -> Terms:
    return replace(terms, after=None if after is None else after.needs(), follow=None if follow is None else follow.needs())
