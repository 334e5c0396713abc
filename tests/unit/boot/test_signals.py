"""The handlers that user code sets: python calls them through us, and user code does not see that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from mpikernel.boot.signals import Visitors
from mpikernel.wire.loop import Loop
from mpikernel.wire.loopback import loopback_world

NUMBER = signal.SIGUSR2


def own(signum: int, frame: FrameType | None) -> None:
    """Stands in for the package's own handler."""


class House:
    """A loop, and whether user code runs."""

    def __init__(self) -> None:
        self.loop = Loop(loopback_world(1)[0])
        self.in_user_code = True
        self.came: list[FrameType | None] = []
        self.visitors = Visitors(self.loop, lambda: self.in_user_code, own)

    def raising(self, signum: int, frame: FrameType | None) -> None:
        self.came.append(frame)
        raise TimeoutError("too long")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name in ("signal", "getsignal"):
        monkeypatch.setattr(signal, name, getattr(signal, name))  # put back in the end
    real, all_before = signal.signal, {number: signal.getsignal(number) for number in signal.valid_signals()}
    made = House()
    real(NUMBER, made.raising)
    made.visitors.receive()
    yield made
    for number, handler in all_before.items():
        if callable(handler) or number == NUMBER:
            real(number, handler)


def test_handlers_from_before_and_after_the_start_wait_for_the_lock(house: House) -> None:
    came_under_the_lock: list[int] = []

    def turn() -> None:
        with house.loop.hold:
            signal.raise_signal(NUMBER)
            came_under_the_lock.append(len(house.came))

    with pytest.raises(TimeoutError):
        turn()
    signal.signal(NUMBER, house.raising)
    with pytest.raises(TimeoutError):
        turn()
    assert came_under_the_lock == [0, 1]
    assert len(house.came) == 2
    assert None not in house.came


def test_user_code_sees_its_own(house: House) -> None:
    assert signal.getsignal(NUMBER) == house.raising
    assert signal.signal(NUMBER, own) == house.raising
    assert signal.signal(NUMBER, signal.SIG_IGN) is own
    assert signal.signal(NUMBER, signal.default_int_handler) is signal.SIG_IGN
    assert signal.getsignal(NUMBER) is signal.default_int_handler


def test_outside_of_user_code_what_a_handler_raises_is_told(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    house.in_user_code = False
    signal.raise_signal(NUMBER)
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "SIGUSR2 came while no call ran here" in told
    assert "TimeoutError: too long" in told


def test_a_wait_is_ended_by_a_handler_that_raises_and_can_be_had_again(house: House) -> None:
    looks: list[int] = []

    def third_look() -> bool:
        looks.append(1)
        if len(looks) == 1:
            signal.raise_signal(NUMBER)
            assert not house.came, "not in the middle of a look"
        return len(looks) > 2

    with pytest.raises(TimeoutError):
        house.loop.wait(third_look)
    assert house.loop.wait(third_look)
    assert house.loop.failure is None
