"""DirectView: each engine addressed by itself. Commands go straight from here to the engines."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from mpikernel.arrays.partition import BLOCKS, join, partition
from mpikernel.client.executor import EngineExecutor
from mpikernel.client.imports import ImportOnEngines
from mpikernel.client.items import apply_to_items
from mpikernel.client.labels import label_of
from mpikernel.client.moving import MovingView
from mpikernel.client.preparing import check_sequence
from mpikernel.client.remote import ParallelFunction, RemoteFunction, decorator
from mpikernel.client.result import AsyncMapResult, AsyncResult
from mpikernel.client.state import Call
from mpikernel.errors import UsageError
from mpikernel.wire.failure import sendable
from mpikernel.wire.messages import Clear, Execute, Keys, Message
from mpikernel.wire.payload import Frames, dump, dump_call

R = TypeVar("R", bound=AsyncResult)
_cells = itertools.count(1)  # numbers executed sources, for tracebacks


class DirectView(MovingView):
    """A view of some engines. What it is told, each of them does; results come in target order, bare for a single int target."""

    FLAGS: ClassVar[tuple[str, ...]] = ("block", "stream", "targets")

    # calling -----------------------------------------------------------------------------------------------------------

    def apply_async(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Call function(*args, **kwargs) on every engine without waiting."""
        label = label_of(function)
        arguments = dump_call(args, kwargs, label)
        result = AsyncResult(self._port, label, self._bare)
        return self._apply(result, function, label, [arguments] * len(self))

    def _apply(self, result: R, function: Callable[..., Any], label: str, arguments: Sequence[Frames]) -> R:
        """Submit one call for each engine, with arguments of its own."""
        pickled, port = self._port.functions.get(function, label), self._port

        def make(call: Call, index: int) -> tuple[Message, Frames]:
            return port.apply_message(call, pickled, arguments[index], self.stream)

        port.command(result, "apply", label, self._ids, make, arguments)
        return result.launched()

    def map_async(self, function: Callable[..., Any], *sequences: Iterable[Any]) -> AsyncMapResult:
        """Call the function for the items of sequences, cut into one block for each engine, without waiting."""
        label = label_of(function)
        columns = [partition(column, len(self), BLOCKS) for column in equal_length(sequences)]
        filled = [index for index in range(len(self)) if len(columns[0][index])]
        arguments = [dump(((function, *(column[index] for column in columns)), {}), f"the arguments of {label}") for index in filled]
        result = AsyncMapResult(self._port, label)
        there = self.on([self._ids[index] for index in filled] or self._ids)
        return there._apply(result, apply_to_items, label, arguments) if filled else result.launched()

    def map_sync(self, function: Callable[..., Any], *sequences: Iterable[Any]) -> list[Any]:
        """As `map_async`; the list of values."""
        values: list[Any] = self.map_async(function, *sequences).get()
        return values

    def map(self, function: Callable[..., Any], *sequences: Iterable[Any], block: bool | None = None) -> Any:
        """As `map_async`; the list of values if `block` is set, else an AsyncMapResult."""
        return self._blocked(self.map_async(function, *sequences), block)

    def execute(self, code: str, silent: bool = True, block: bool | None = None) -> Any:
        """Run source code in the engines' namespaces. The result's value is that of a last expression.

        Args:
            code: Python source, of any number of lines.
            silent: if false, what it prints is shown as it comes.
            block: wait for it; the view's flag if None.
        """
        return self._execute(code, f"<execute {next(_cells)}>", not silent, block)

    def run(self, filename: str | Path, block: bool | None = None) -> Any:
        """Run a file of the script's side in the engines' namespaces. OSError if it cannot be read here."""
        path = Path(filename).expanduser()
        return self._execute(path.read_text(), sendable(str(path.absolute())), False, block)

    def _execute(self, code: str, filename: str, shown: bool, block: bool | None) -> Any:
        if not isinstance(code, str):
            raise UsageError(f"execute takes source code as a string, not {type(code).__name__}")
        code = str(code)
        if code != sendable(code):
            raise UsageError("the code to execute holds lone surrogates, which no Python source can")
        if code.lstrip("\r\n")[:1].isspace():  # only then: what looks like an empty line may stand in a string
            code = textwrap.dedent(code)
        label = code.strip().partition("\n")[0][:60]
        stream = self.stream or shown
        return self._blocked(self._simple("execute", label, lambda call: Execute(call.id, code, filename, stream)), block)

    def keys(self, block: bool | None = True) -> Any:
        """The names that are bound on each engine."""
        return self._blocked(self._simple("keys", "", lambda call: Keys(call.id)), block)

    def clear(self, block: bool | None = None) -> Any:
        """Empty the engines' namespaces."""
        return self._blocked(self._simple("clear", "", lambda call: Clear(call.id)), block)

    def interrupt(self) -> None:
        """Interrupt whatever runs on its engines, as `Client.interrupt`."""
        self._port.interrupt(self._ids)

    # conveniences ------------------------------------------------------------------------------------------------------

    def remote(self, function: Callable[..., Any] | None = None, *, block: bool | None = None) -> Any:
        """Decorator: calling the function calls it on every engine. With or without parentheses."""
        return decorator(lambda f: RemoteFunction(self, f, block), function)

    def parallel(self, function: Callable[..., Any] | None = None, *, dist: str = BLOCKS, block: bool | None = None) -> Any:
        """Decorator: calling the function calls it on parts of its arguments; `.map` calls it on items. With or without parentheses."""
        return decorator(lambda f: ParallelFunction(self, f, dist, block), function)

    @property
    def executor(self) -> EngineExecutor:
        """A new executor of `concurrent.futures`: each call goes to one of these engines, whichever is free."""
        return self.client.executor(list(self._ids))

    def sync_imports(self) -> ImportOnEngines:
        """With-statement: what is imported inside is imported on the engines too, under the same names."""
        return ImportOnEngines(self)

    def apply_parts(self, function: Callable[..., Any], sequences: Sequence[Any], dist: str) -> AsyncMapResult:
        """Call the function once on each engine, with that engine's parts of the sequences; what it returns is joined."""
        label = label_of(function)
        columns = [partition(column, len(self), dist) for column in equal_length(sequences)]
        arguments = [dump((tuple(column[index] for column in columns), {}), f"the arguments of {label}") for index in range(len(self))]
        result = AsyncMapResult(self._port, label, assemble=lambda parts: join(parts, dist))
        return self._apply(result, function, label, arguments)

    def on(self, targets: Any) -> DirectView:
        """The same view of other engines."""
        view = DirectView(self.client, self._named(targets), self.block)
        view.stream = self.stream
        return view


def equal_length(sequences: Sequence[Iterable[Any]]) -> list[Any]:
    """Sequences for a map, all of the same length.

    Raises:
        UsageError: there are none, or one is no sequence, or their lengths differ.
    """
    if not sequences:
        raise UsageError("map needs at least one sequence beside the function")
    for sequence in sequences:
        check_sequence(sequence)
    columns: list[Any] = [column if hasattr(column, "__len__") and hasattr(column, "__getitem__") else list(column) for column in sequences]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise UsageError(f"all sequences of a map must be of one length, but these have {', '.join(map(str, lengths))}")
    return columns
