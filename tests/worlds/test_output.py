"""What engines print: captured for every call, and shown on the script's terminal when that is asked for."""

from __future__ import annotations

import pytest

from tests.harness.world import World
from tests.worlds.asserting import SCRIPTS, assert_checked


@pytest.mark.parametrize("n", [1, 3, 6])
def test_output_is_captured(world: World, n: int) -> None:
    finished = world(n, SCRIPTS / "output.py")
    assert_checked(finished)
    assert finished.stdout.endswith("the script's own terminal\n")
    assert "from puts" not in finished.stdout + finished.stderr
    assert "to stderr" not in finished.stderr


@pytest.mark.parametrize("n", [1, 3, 4])
def test_output_is_streamed_in_whole_lines(world: World, n: int) -> None:
    (world.cwd / "seen").touch()  # nobody waits for it here
    finished = world(n, "--stream", SCRIPTS / "streaming.py")
    engines = {1: 1, 3: 2, 4: 1}[n]
    lines = [line for line in finished.stdout.splitlines() if line.startswith("[")]
    for engine in range(engines):
        expected = [f"[stdout:{engine}] line {number}" for number in range(200)] + [f"[stdout:{engine}] no end of line"]
        assert [line for line in lines if line.startswith(f"[stdout:{engine}]")][: len(expected)] == expected
        warnings = [line for line in finished.stderr.splitlines() if line.startswith(f"[stderr:{engine}]")]
        assert warnings == [f"[stderr:{engine}] warning {number}" for number in range(200)]
    assert "[stdout:0] executed" in lines
    assert any(line.endswith("] a task") for line in lines)
    assert "stream flag True" in finished.stdout


def test_output_is_streamed_while_the_call_runs(world: World) -> None:
    with world.start(4, "--stream", SCRIPTS / "streaming.py") as running:
        running.wait_for_line(r"^\[stdout:0\] early$", limit=30)
        (world.cwd / "seen").touch()  # only now the call ends
        assert running.wait().exit_code == 0


def test_without_streaming_only_what_is_asked_for_is_shown(world: World) -> None:
    (world.cwd / "seen").touch()
    finished = world(4, SCRIPTS / "streaming.py")
    assert [line for line in finished.stdout.splitlines() if line.startswith("[")] == ["[stdout:0] executed"]
    assert "stream flag False" in finished.stdout
    assert "[stderr" not in finished.stderr
