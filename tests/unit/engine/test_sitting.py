"""In which call of MPI a frame is, told from its source. The methods of these communicators look at the frame that calls them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, SimpleNamespace
from typing import Any

import numpy
import pytest

from mpikernel.engine.namespace import Namespace
from mpikernel.engine.sitting import frame_of, place_of, trace_of, waits_of
from mpikernel.wire.sitting import COLLECTIVE, OTHER, RECEIVE, SEND, Waits

OWN = 1
#: The engines of the communicators below, by rank: -1 is none.
IDS = (3, 1, 0, -1)
OTHERS = (3, 0)


class Seen:
    """What was seen of the last call."""

    looked = False
    frame: FrameType | None = None
    found: tuple[str, Waits] | None = None
    place = ""
    trace = ""


class Watched:
    """An object whose methods look at the frame that calls them; `__getattr__` is not asked for what stands in the instance."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def look(*_: Any, **__: Any) -> None:
            frame, seen = sys._getframe(1), self._seen
            seen.looked, seen.found = True, None
            seen.found, seen.place, seen.trace = waits_of(frame, OWN, ids), place_of(frame), trace_of(frame)

        return look


class Comm(Watched):
    """Stands for a communicator."""


class Request(Watched):
    """Stands for a request."""


class Hidden:
    """Its attributes cannot be had without running code."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def comm(self) -> Any:
        return self._inner


Comm.__module__ = Request.__module__ = "mpi4py.MPI"


def ids(owner: object) -> Sequence[int] | None:
    return IDS if isinstance(owner, Comm) else None


def look_at(code: str, seen: Seen | None = None, **more: Any) -> Seen:
    seen, space = seen or Seen(), Namespace()
    comm = Comm(seen)
    own = SimpleNamespace(comm=comm, inner=SimpleNamespace(comm=comm))
    space.push(("comm", "request", "own", "hidden", "pipe"), (comm, Request(seen), own, Hidden(comm), Watched(seen)))
    space.space.update(more)
    seen.looked = False
    space.execute(code, "<execute 7>")
    return seen


def waits(code: str) -> Waits | None:
    found = look_at(code).found
    return found[1] if found is not None else None


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("comm.Barrier()", "comm.Barrier()"),
        ("own.comm.allreduce(5)", "own.comm.allreduce(...)"),
        ("x = [own.inner.comm.alltoall(\n  [1,\n 2]) for _ in range(1)]", "own.inner.comm.alltoall(...)"),
        ("def f(c):\n    return 2 + (c.Allgather('ä', 2) or 1)\nf(comm)", "c.Allgather(...)"),
        ("hidden.comm.Barrier()", "hidden.comm.Barrier()"),
    ],
)
def test_the_call_is_named_as_the_user_wrote_it(code: str, what: str) -> None:
    found = look_at(code).found
    assert found is not None
    assert found[0] == what
    assert found[1].kind == COLLECTIVE


@pytest.mark.parametrize("code", ["pipe.recv()", "pipe.Barrier()", "comm.Get_rank()", "hidden.comm.recv()", "hidden.comm.barrier()"])
def test_what_is_no_wait_in_mpi_or_cannot_be_told(code: str) -> None:
    assert waits(code) is None


def test_who_is_needed() -> None:
    assert waits("comm.Barrier()") == Waits("Barrier", COLLECTIVE, OTHERS, each=True, sure=True)
    assert waits("comm.Alltoallv(1, 2)") == Waits("Alltoallv", COLLECTIVE, OTHERS, each=True, sure=False)
    assert waits("hidden.comm.Barrier()") == Waits("Barrier", COLLECTIVE, (), each=False, sure=True)
    assert waits("request.Wait()") == Waits("Wait", OTHER, (), each=False, sure=False)


@pytest.mark.parametrize(
    ("code", "kind", "peers", "each"),
    [
        ("comm.recv(source=2)", RECEIVE, (0,), True),
        ("comm.recv(None, 0)", RECEIVE, (3,), True),
        ("comm.recv()", RECEIVE, OTHERS, False),
        ("comm.recv(source=-1)", RECEIVE, OTHERS, False),
        ("comm.recv(**{'source': 2})", RECEIVE, OTHERS, False),
        ("comm.recv(source=abs(2))", RECEIVE, OTHERS, False),
        ("a = 5\ncomm.Probe((a + 1) // 2 - 1)", RECEIVE, (0,), True),
        ("a = 0\ncomm.Probe(1 % a if a else 0)", RECEIVE, OTHERS, False),
        ("comm.Send(None, dest=2)", SEND, (0,), True),
        ("comm.Sendrecv(None, 0, source=2)", OTHER, (0,), True),
        ("comm.Bcast(None)", COLLECTIVE, (3,), True),
        ("comm.bcast(None, root=1)", COLLECTIVE, OTHERS, True),
        ("comm.Reduce(None, None, None, 2)", COLLECTIVE, (0,), True),
        ("comm.recv(source=3)", RECEIVE, (-1,), False),
        ("comm.recv(source=9)", RECEIVE, OTHERS, False),
    ],
)
def test_whom_arguments_name(code: str, kind: str, peers: tuple[int, ...], each: bool) -> None:
    found = waits(code)
    assert found is not None
    assert (found.kind, found.peers, found.each) == (kind, peers, each)


class Rank:
    """A number that runs code to say which."""

    def __index__(self) -> int:
        raise AssertionError("the user's code was run")


class Proxy(Watched):
    """It runs code when it is asked for its class or its dict."""

    @property
    def comm(self) -> Comm:
        return Comm(self._seen)

    @property
    def __class__(self) -> Any:
        raise AssertionError("the user's code was run")

    @property
    def __dict__(self) -> Any:
        raise AssertionError("the user's code was run")


class Kind(type):
    """Its classes run code when they are asked what they are made of."""

    @property
    def __mro__(cls) -> Any:
        raise AssertionError("the user's code was run")


@pytest.mark.parametrize(
    ("rank", "peers"), [(Rank(), OTHERS), (True, OTHERS), (2.0, OTHERS), (numpy.int8(2), (0,)), (numpy.uint64(2), (0,))]
)
def test_no_code_is_run_to_tell_a_rank(rank: Any, peers: tuple[int, ...]) -> None:
    found = look_at("comm.recv(source=rank)", rank=rank).found
    assert found is not None
    assert found[1].peers == peers


def test_no_code_is_run_to_tell_what_an_object_is() -> None:
    seen = Seen()
    kind = Kind("Made", (), {"recv": Request(seen).recv})
    assert look_at("proxy.recv()", seen, proxy=Proxy(seen)).looked
    assert seen.found is None
    assert look_at("kind.recv()", seen, kind=kind).looked
    assert seen.found is None
    found = look_at("proxy.comm.Barrier()", seen, proxy=Proxy(seen)).found
    assert found is not None
    assert found[1].peers == (), "whom it joins is behind a property"


def test_where_it_is() -> None:
    seen = look_at("def f():\n    comm.Barrier()\n\nf()")
    assert seen.place == "<execute 7>, line 2"
    assert seen.trace.splitlines() == [
        "Traceback (most recent call last):",
        '  File "<execute 7>", line 4, in <module>',
        "    f()",
        '  File "<execute 7>", line 2, in f',
        "    comm.Barrier()",
    ]


def test_source_that_is_not_there_is_no_error() -> None:
    seen = Seen()
    exec(compile("comm.Barrier()", "<nowhere>", "exec"), {"comm": Comm(seen)})
    assert (seen.found, seen.place) == (None, "<nowhere>, line 1")


def test_the_frame_of_a_thread_is_the_users_own() -> None:
    reached, held = threading.Event(), threading.Lock()
    library: dict[str, Any] = {"__name__": "mpi4py.util.pkl5", "reached": reached, "held": held}
    exec("def recv():\n    reached.set()\n    held.acquire()", library)

    def users() -> None:
        library["recv"]()

    held.acquire()
    thread = threading.Thread(target=users)
    thread.start()
    assert reached.wait(20)
    assert thread.ident is not None
    frame = frame_of(thread.ident)
    held.release()
    thread.join()
    assert frame is not None
    assert frame.f_code.co_name == "users"
    assert frame_of(thread.ident) is None
