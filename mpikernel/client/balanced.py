"""LoadBalancedView: calls go to whichever engine is free; the task interface decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mpikernel.client.executor import EngineExecutor
from mpikernel.client.maps import MappingView
from mpikernel.client.result import AsyncResult
from mpikernel.client.view import Targets, label_of
from mpikernel.errors import UsageError
from mpikernel.wire.payload import Frames, dump
from mpikernel.wire.terms import Terms

if TYPE_CHECKING:
    from mpikernel.client.client import Client

R = TypeVar("R", bound=AsyncResult)

#: More than anybody means.
MOST_RETRIES = 1_000_000


class LoadBalancedView(MappingView):
    """A view in which each call is a task for an engine that is free. Calls give bare values."""

    FLAGS: ClassVar[tuple[str, ...]] = ("block", "stream", "retries", "targets")

    def __init__(self, client: Client, targets: Targets = None, block: bool = False) -> None:
        super().__init__(client, targets, block)
        self._retries = 0

    @property
    def _bare(self) -> bool:
        return False

    @property
    def retries(self) -> int:
        """How often a task that failed is tried again."""
        return self._retries

    @retries.setter
    def retries(self, retries: int) -> None:
        if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= MOST_RETRIES:
            raise UsageError(f"retries={retries!r} is not a number of retries: it is an integer from 0 to {MOST_RETRIES}")
        self._retries = int(retries)

    @property
    def executor(self) -> EngineExecutor:
        """A new executor of `concurrent.futures` whose calls are tasks of this view, with its flags."""
        return EngineExecutor(self)

    def apply_async(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Queue one call of function(*args, **kwargs) without waiting."""
        label = label_of(function)
        result = AsyncResult(self._port, label, True)
        return self._submit(result, function, label, [dump((args, kwargs), f"the arguments of {label}")])

    def _submit(self, result: R, function: Callable[..., Any], label: str, arguments: list[Frames]) -> R:
        self._port.submit(result, label, self._port.functions.get(function, label), arguments, self._terms, self.stream)
        return result.launched()

    @property
    def _terms(self) -> Terms:
        """Those of the calls that are made now."""
        return Terms(self._restriction, self._retries)

    @property
    def _restriction(self) -> tuple[int, ...]:
        """The engines that tasks may go to; empty for any."""
        return () if self._targets is None or self._targets == "all" else tuple(self._ids)
