"""Client: how a script sees the engines of its world."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from mpikernel.client.balanced import LoadBalancedView
from mpikernel.client.direct import DirectView
from mpikernel.client.here import find_port
from mpikernel.client.port import Port
from mpikernel.client.result import AsyncResult, seconds
from mpikernel.client.view import Targets
from mpikernel.errors import ClosedError


class Client:
    """The engines of the world that this script runs in.

    Raises:
        NoWorldError: the script was not started as one of a world; tells how to.
    """

    def __init__(self) -> None:
        self._port = find_port(sys.argv[0] or "script.py")
        self._port.check_open()
        self._closed = False

    @property
    def port(self) -> Port:
        """The way into the world.

        Raises:
            ClosedError: the client has been closed.
        """
        if self._closed:
            raise ClosedError("this client is closed; make another with Client()")
        return self._port

    @property
    def ids(self) -> list[int]:
        """The engines' ids."""
        return list(range(len(self)))

    def __len__(self) -> int:
        return len(self._port.state.engines)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[DirectView]:
        """A direct view of each engine."""
        return (self.direct_view(engine) for engine in self.ids)

    def __getitem__(self, targets: int | slice | Sequence[int]) -> DirectView:
        """A direct view: client[0] gives bare values, client[:], client[1:3] and client[[0, 2]] give lists."""
        return self.direct_view(targets)

    def direct_view(self, targets: Targets = "all", block: bool = False) -> DirectView:
        """A view in which each engine is addressed by itself.

        Raises:
            NoEnginesError: an id that is not there, or no engine at all.
        """
        return DirectView(self, targets, block)

    def load_balanced_view(self, targets: Targets = None, block: bool = False) -> LoadBalancedView:
        """A view in which each call goes to an engine that is free, of `targets` only if they are given."""
        return LoadBalancedView(self, targets, block)

    def wait(self, jobs: AsyncResult | Sequence[AsyncResult] | None = None, timeout: float | None = None) -> bool:
        """Wait for results, or for everything that was submitted; whether it is done, after at most `timeout` seconds."""
        if jobs is None:
            return self.port.wait(lambda: not self._port.state.open, seconds(timeout))
        results = [jobs] if isinstance(jobs, AsyncResult) else list(jobs)
        return self.port.wait(lambda: all(result.done() for result in results), seconds(timeout))

    def abort(self, jobs: AsyncResult | Sequence[AsyncResult] | None = None) -> None:
        """Cancel what has not begun of these results, or of everything that was submitted."""
        if jobs is None:
            calls = list(self.port.state.open.values())
        else:
            calls = [call for result in ([jobs] if isinstance(jobs, AsyncResult) else jobs) for call in result.calls]
        self.port.cancel(calls)

    def close(self) -> None:
        """Make no calls through this client any more. The world goes on; results that are still to come do come."""
        self._closed = True

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client cannot be sent to engines: calls are made in the script")

    def __repr__(self) -> str:
        return f"<Client: {len(self)} engine{'s' if len(self) != 1 else ''}{', closed' if self._closed else ''}>"
