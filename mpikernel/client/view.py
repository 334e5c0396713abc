"""What both kinds of view have in common: a client, targets, flags, and the ways to call a function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeGuard

from mpikernel.client.flags import Flag, is_integer, yes_or_no
from mpikernel.client.result import AsyncResult
from mpikernel.errors import EngineDiedError, MpikernelError, NoEnginesError, UsageError

if TYPE_CHECKING:
    from mpikernel.client.client import Client
    from mpikernel.client.jobs import Jobs
    from mpikernel.client.port import Port

Targets = int | Sequence[int] | slice | str | None


#: Engines that died, and how.
Dead = Mapping[int, str]
NOBODY: Dead = {}


def engine_ids(targets: Targets, count: int, dead: Dead = NOBODY) -> list[int]:
    """The engines that `targets` names among those of `count` that live: an id (negative from the end), ids, a slice, or 'all' (None too).

    Raises:
        NoEnginesError: an id that is not there, or no engine at all.
        EngineDiedError: an engine that has died.
        UsageError: something that names no engines.
    """
    living = [engine for engine in range(count) if engine not in dead]
    if names_all(targets):
        ids = living
    elif isinstance(targets, slice):
        ids = living[targets]
    elif is_integer(targets):
        ids = [_checked(targets, living, dead)]
    elif _several(targets):
        ids = [_checked(target, living, dead) for target in targets]
    else:
        raise UsageError(f"{targets!r} names no engines: give an id, a list of ids, a slice, or 'all'")
    if not ids and not living:
        raise NoEnginesError(f"no engine is left: {'; '.join(f'engine {engine} died: {dead[engine]}' for engine in sorted(dead))}")
    if not ids:
        raise NoEnginesError(f"{targets!r} names no engine; {_which(living)}")
    return ids


def names_all(targets: Any) -> bool:
    """Whether targets is what stands for all engines."""
    return targets is None or (isinstance(targets, str) and targets == "all")


def _several(targets: Any) -> TypeGuard[Sequence[int]]:
    """Whether targets is a sequence of ids, or an array of them."""
    return (isinstance(targets, Sequence) and not isinstance(targets, str | bytes)) or getattr(targets, "ndim", 0) > 0


def _checked(target: Any, living: Sequence[int], dead: Dead) -> int:
    if not is_integer(target):
        raise UsageError(f"{target!r} is not the id of an engine: ids are integers")
    number: int = target.__index__()
    if number in dead:
        raise EngineDiedError(f"engine {number} died: {dead[number]}; {_which(living)}")
    if number in living:
        return number
    if not -len(living) <= number < 0:
        raise NoEnginesError(f"there is no engine {number}; {_which(living)}")
    return living[number]


def _which(living: Sequence[int]) -> str:
    if len(living) < 2:
        return f"there is one engine, {living[0]}" if living else "there is none any more"
    first, last = living[0], living[-1]
    return f"there are engines {f'{first} to {last}' if last - first < len(living) else ', '.join(map(str, living))}"


class View(ABC):
    """A way to engines. Flags are attributes; `set_flags` and `temp_flags` change several at once."""

    #: Names that `set_flags` takes.
    FLAGS: ClassVar[tuple[str, ...]] = ("block", "stream")

    block = Flag[bool](False, yes_or_no)  # whether apply, map and the rest wait for the value

    def __init__(self, client: Client, targets: Targets, block: bool = False) -> None:
        self.client = client
        self.block = block
        self._stream = client.port.stream
        self._count = len(client.port.state.engines)
        self._lost: Dead = client.port.state.lost
        self._chosen = self._named(targets)
        self._targets = targets

    def _named(self, targets: Targets) -> list[int]:
        return engine_ids(targets, self._count, self._lost)

    @property
    def _ids(self) -> list[int]:
        """The engines it works on; a view of all goes on with those that are left."""
        if self._lost and names_all(self._targets):
            return [engine for engine in self._chosen if engine not in self._lost]
        return self._chosen

    @property
    def _port(self) -> Port:
        """Raises ClosedError once the client is closed."""
        return self.client.port

    @property
    def stream(self) -> bool:
        """Whether what engines print is shown as it comes."""
        return self._stream

    @stream.setter
    def stream(self, stream: bool) -> None:
        self._stream = yes_or_no("stream", stream)

    @property
    def targets(self) -> int | list[int]:
        """The engines it works on: one id, or a list of ids."""
        return self._ids[0] if self._bare else list(self._ids)

    @targets.setter
    def targets(self, targets: Targets) -> None:
        self._chosen = self._named(targets)
        self._targets = targets

    @property
    def _bare(self) -> bool:
        """Whether results come bare: for a single int target they do."""
        return is_integer(self._targets)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a flag. What is none would change nothing, so it is refused with a UsageError."""
        if name[:1] != "_" and name != "client" and not hasattr(type(self), name):
            raise self._no_flag(name)
        super().__setattr__(name, value)

    def _no_flag(self, name: str) -> UsageError:
        from difflib import get_close_matches  # here: only mistakes need it

        near = get_close_matches(name, self.FLAGS, 1)
        meant = f"did you mean {near[0]}? There" if near else "there"
        return UsageError(f"there is no flag {name!r} on a {type(self).__name__}; {meant} are {', '.join(self.FLAGS)}")

    def set_flags(self, **flags: Any) -> None:
        """Set flags by name.

        Raises:
            UsageError: an unknown flag, or a value that one cannot have; nothing has been set.
        """
        for name in flags:
            if name not in self.FLAGS:
                raise self._no_flag(name)
        before = dict(vars(self))
        try:
            for name, value in flags.items():
                setattr(self, name, value)
        except MpikernelError:
            self.__dict__ = before
            raise

    @contextmanager
    def temp_flags(self, **flags: Any) -> Iterator[None]:
        """Set flags for the length of a with-statement."""
        before = {name: getattr(self, name) for name in flags if name in self.FLAGS}
        self.set_flags(**flags)
        try:
            yield
        finally:
            self.set_flags(**before)

    def apply(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call function(*args, **kwargs); the value if `block` is set, else an AsyncResult."""
        return self._blocked(self.apply_async(function, *args, **kwargs))

    def apply_sync(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call function(*args, **kwargs) and wait for the value."""
        return self.apply_async(function, *args, **kwargs).get()

    @abstractmethod
    def apply_async(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Call function(*args, **kwargs) without waiting."""

    def _blocked(self, result: AsyncResult, block: bool | None = None) -> Any:
        wait = self.block if block is None else block
        return result.get() if wait else result

    def wait(self, jobs: Jobs | None = None, timeout: float | None = None) -> bool:
        """As `Client.wait`."""
        return self.client.wait(jobs, timeout)

    def abort(self, jobs: Jobs | None = None) -> None:
        """As `Client.abort`."""
        self.client.abort(jobs)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a view cannot be sent to engines: calls are made in the script")

    def __len__(self) -> int:
        return len(self._ids)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.targets}>"
