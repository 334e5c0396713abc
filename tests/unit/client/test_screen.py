"""What engines print is shown in order, and before the results of the calls that printed it are done."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from mpikernel.client.client import Client
from mpikernel.client.screen import Screen
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.messages import Output

LIMIT = 10.0  # seconds


def test_a_result_is_not_done_before_what_its_call_printed_is_shown(world: LoopbackWorld, capsys: pytest.CaptureFixture[str]) -> None:
    result = Client()[0].apply_async(abs, -1)
    world.client.screen.put(Output(0, 0, "stdout", "text\n"))  # by a thread that has not come to show it
    world.run()
    assert result.done()
    assert capsys.readouterr().out == "[stdout:0] text\n"


class Slow(io.StringIO):
    """A terminal that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.begun.set()
        assert self.goes_on.wait(LIMIT)
        return super().write(text)


def test_who_shows_waits_for_a_thread_that_is_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, terminal = Screen(), Slow()
    monkeypatch.setattr(sys, "stdout", terminal)
    screen.put(Output(0, 3, "stdout", "one\n"))
    first = threading.Thread(target=screen.show)
    first.start()
    assert terminal.begun.wait(LIMIT)
    assert screen.behind
    threading.Timer(0.05, terminal.goes_on.set).start()
    screen.show()
    assert not screen.behind
    assert terminal.getvalue() == "[stdout:3] one\n"
    first.join(LIMIT)
