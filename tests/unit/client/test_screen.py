"""What engines print is shown in order, and before the values of the calls that printed it, whatever the script has made of its stdout."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpikernel.client import screen as showing
from mpikernel.client.client import Client
from mpikernel.client.result import AsyncResult
from mpikernel.client.screen import Screen
from mpikernel.testing.loopback import LoopbackWorld
from mpikernel.wire.hold import Hold
from mpikernel.wire.messages import Output

LIMIT = 10.0  # seconds
SOON = 0.05  # seconds


class Slow(io.StringIO):
    """A terminal that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.begun.set()
        assert self.goes_on.wait(LIMIT)
        return super().write(text)


class Broken(io.StringIO):
    """A terminal that raises what nobody expects of one."""

    def write(self, text: str) -> int:
        raise RuntimeError("broken")


class Writer(threading.Thread):
    """A thread that is at a slow terminal with a line."""

    def __init__(self, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(target=screen.show)
        self.terminal = Slow()
        monkeypatch.setattr(sys, "stdout", self.terminal)
        screen.put(Output(0, 3, "stdout", "one\n"))
        self.start()
        assert self.terminal.begun.wait(LIMIT)

    def end(self) -> str:
        """What has been written, when it can go on."""
        self.terminal.goes_on.set()
        self.join(LIMIT)
        return self.terminal.getvalue()


def print_on_an_engine(world: LoopbackWorld) -> None:
    with world.loops[3].hold:
        world.loops[3].out.send(world.client.rank, Output(0, 0, "stdout", "text\n"))


# before the value -------------------------------------------------------------------------------------------------------


def test_a_result_is_not_done_before_what_its_call_printed_is_shown(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    result = Client()[0].apply_async(abs, -1)
    done_too_early: list[bool] = []
    writer = Writer(world.client.screen, monkeypatch)
    timer = threading.Timer(SOON, lambda: (done_too_early.append(result.done()), writer.end()))
    timer.start()
    world.run()
    assert result.done()
    timer.join()
    assert (done_too_early, writer.end()) == ([False], "[stdout:3] one\n")


def balanced(client: Client) -> AsyncResult:
    return client.load_balanced_view().map_async(abs, [-1], chunksize=1)


def at_once(client: Client) -> Iterator[Any]:
    return iter(client.load_balanced_view().map_async(abs, [-1], ordered=False))


WAYS: dict[str, Callable[[Client], Iterator[Any]]] = {
    "iterating": lambda client: iter(balanced(client)),
    "iterating as they come": at_once,
    "imap": lambda client: client.load_balanced_view().imap(abs, [-1]),
    "executor": lambda client: client.executor().map(abs, [-1]),
    "direct view": lambda client: iter(client[:].map_async(abs, [-1])),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_value_is_given_before_what_was_printed_is_shown(
    world: LoopbackWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(showing, "PATIENCE", SOON)
    with world.working():
        values = WAYS[way](Client())
        world.client.screen.put(Output(0, 0, "stdout", "text\n"))  # by a thread that has not come to show it
        assert next(values) == 1
    assert capsys.readouterr().out == "[stdout:0] text\n"


def test_who_waits_in_vain_has_seen_what_was_printed(world: LoopbackWorld, capsys: pytest.CaptureFixture[str]) -> None:
    result = balanced(Client())
    world.client.screen.put(Output(0, 0, "stdout", "text\n"))
    assert not result.wait(SOON)
    assert capsys.readouterr().out == "[stdout:0] text\n"


# several threads --------------------------------------------------------------------------------------------------------


def test_who_gives_a_value_waits_for_a_thread_that_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    writer = Writer(screen, monkeypatch)
    assert screen.behind
    threading.Timer(SOON, writer.terminal.goes_on.set).start()
    screen.catch_up(Hold())
    assert not screen.behind
    assert writer.end() == "[stdout:3] one\n"


def test_what_comes_while_a_thread_writes_is_written_by_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    writer = Writer(screen, monkeypatch)
    screen.put(Output(0, 3, "stdout", "two\n"))
    screen.show()  # returns although nothing goes on
    assert writer.end() == "[stdout:3] one\n[stdout:3] two\n"


def test_a_thread_that_cannot_write_while_somebody_waits_does_not_keep_him(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "PATIENCE", SOON)
    result = Client()[0].apply_async(abs, -1)
    writer = Writer(world.client.screen, monkeypatch)  # it goes on when he has his value
    print_on_an_engine(world)
    world.run()
    assert result.get() == 1
    monkeypatch.setattr(showing, "PATIENCE", 10 * LIMIT)
    assert Client()._port.wait(lambda: True), "it is waited for once"
    assert writer.end() == "[stdout:3] one\n[stdout:0] text\n"


def test_who_writes_and_waits_for_a_result_meanwhile_has_it(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asking(io.StringIO):
        def write(self, text: str) -> int:
            return super().write(f"{Client()[0].apply_sync(abs, -1)} {text}")

    monkeypatch.setattr(sys, "stdout", terminal := Asking())
    monkeypatch.setattr(showing, "PATIENCE", 10 * LIMIT)
    with world.working():
        world.client.screen.put(Output(0, 0, "stdout", "text\n"))
        world.client.screen.show()
    assert terminal.getvalue() == "1 [stdout:0] text\n"


# what it raises ---------------------------------------------------------------------------------------------------------


def test_what_stdout_raises_is_told_and_costs_no_result(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: told.append(kind))
    monkeypatch.setattr(sys, "stdout", Broken())
    with world.working():
        print_on_an_engine(world)
        results = [Client()[0].apply_async(abs, -number) for number in range(3)]
        assert [result.get() for result in results] == [0, 1, 2]
    assert (told, world.client.screen.behind) == ([RuntimeError], False)


def test_a_result_is_done_although_the_wait_for_its_output_is_broken_off(world: LoopbackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(screen: Screen) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Screen, "wait", interrupted)
    result = Client()[:].apply_async(abs, -1)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert result.done()
