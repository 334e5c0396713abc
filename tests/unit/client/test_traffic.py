"""What is under way, who waits for it, and which way it goes."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import pytest

from mpikernel.client.port import Port
from mpikernel.client.result import AsyncResult
from mpikernel.client.state import Call
from mpikernel.client.traffic import SMALL, STALLED, Traffic
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.envelope import Frame, Parcel, Route
from mpikernel.wire.messages import Message, Push
from mpikernel.wire.payload import dump

LARGE = b"x" * (1 << 17)


def nobody() -> bool:
    return False


def test_small_change_does_not_weigh() -> None:
    traffic = Traffic(100, 5000)
    frames = [b"x" * (SMALL - 1), b"x" * SMALL, b"x" * 4999]
    assert traffic.weigh(frames) == SMALL + 4999
    assert not traffic.any_large(frames)
    assert traffic.any_large([*frames, b"x" * 5000])


def test_who_has_nothing_under_way_gets_anything_and_others_what_fits() -> None:
    traffic = Traffic(10_000, 1000)
    assert traffic.has_room(0, 100_000)
    traffic.under_way[0] = 6000
    assert traffic.has_room(0, 4000)
    assert not traffic.has_room(0, 4001)
    assert traffic.has_room(0, 0), "what weighs nothing waits for nobody"
    assert traffic.has_room(1, 100_000)


def test_results_that_are_taken_or_dropped_make_room() -> None:
    traffic = Traffic(10_000, 1000)
    held = [traffic.hold([b"x" * 6000]) for _ in range(2)]
    assert traffic.hold([b"small"]) is None
    assert traffic.untaken == 12000
    traffic.hungry(nobody)  # one is let in after a while, whatever there is
    assert not traffic.hungry(nobody)
    del held[0]
    assert traffic.hungry(nobody)
    held.clear()
    gc.collect()
    assert traffic.untaken == 0


def test_whoever_waits_lets_results_in() -> None:
    traffic = Traffic(10_000, 1000)
    held = traffic.hold([b"x" * 20_000])
    traffic.hungry(nobody)
    assert not traffic.hungry(nobody)
    assert traffic.hungry(lambda: True)
    traffic.waiting["somebody"] = None
    assert traffic.hungry(nobody)
    assert held is not None


def test_nobody_is_kept_out_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = Traffic(10_000, 1000)
    held = traffic.hold([b"x" * 20_000])
    now = 1000.0
    monkeypatch.setattr("mpikernel.client.traffic.time.monotonic", lambda: now)
    assert traffic.hungry(nobody)
    assert not traffic.hungry(nobody)
    now += STALLED + 1
    assert traffic.hungry(nobody)
    assert not traffic.hungry(nobody)
    assert held is not None


def pushed(port: Port, targets: Sequence[int], payloads: Sequence[Sequence[Frame]]) -> dict[int, Route | None]:
    """Push; by engine, the way that the large frames go."""

    def make(call: Call, index: int) -> tuple[Message, Sequence[Frame]]:
        return Push(call.id, ("x",)), payloads[index]

    port.command(AsyncResult(port, "push", False), "push", "x", targets, make, [list(frames) for frames in payloads])
    engines = {rank: engine for engine, rank in enumerate(port.state.engines)}
    mail, port.loop.out.mail = port.loop.out.mail, {}
    parcels: list[tuple[int, Parcel]] = [(engines[rank], parcel) for rank, parcels in mail.items() if rank in engines for parcel in parcels]
    return {engine: parcel.route for engine, parcel in parcels}


def test_the_same_large_frames_go_down_a_tree() -> None:
    port = LoopbackWorld(engines=4).port
    frames = [b"pickle", LARGE]
    _, *others = port.state.engines
    routes = pushed(port, range(4), [frames] * 4)
    assert routes[0] == Route(port.state.rank, (others[0], others[1]))
    assert routes[3] == Route(others[0])


def test_other_frames_small_ones_and_single_engines_are_sent_to_directly() -> None:
    port = LoopbackWorld(engines=3).port
    assert set(pushed(port, range(3), [[b"pickle", bytes(LARGE[:-1]) + b"%d" % engine] for engine in range(3)]).values()) == {None}
    port = LoopbackWorld(engines=3).port
    assert set(pushed(port, range(3), [[b"pickle"]] * 3).values()) == {None}
    port = LoopbackWorld(engines=3).port
    assert pushed(port, [1], [[b"pickle", LARGE]]) == {1: None}


def test_a_busy_engine_is_nobodys_parent() -> None:
    port = LoopbackWorld(engines=4).port
    pushed(port, [0], [dump(1)])
    routes = pushed(port, range(4), [[b"pickle", LARGE]] * 4)
    assert routes[0] is None
    assert routes[1] == Route(port.state.rank, (port.state.engines[2], port.state.engines[3]))


def test_an_engine_that_is_named_twice_gets_it_twice() -> None:
    port = LoopbackWorld(engines=2).port
    assert pushed(port, [0, 0, 1], [[b"pickle", LARGE]] * 3) == {0: None, 1: None}
