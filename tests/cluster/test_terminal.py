"""A job at a terminal: what is typed reaches the ranks, and Ctrl-C ends the world in order."""

from __future__ import annotations

import os
import pty
import select
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.driver import driver
from tests.harness.environments import MPIEnvironment

LIMIT = 30.0  # seconds
PATIENCE = 4.0  # seconds that ranks get to end in order

PROGRAM = """\
import signal, sys
from mpi4py import MPI

def stop(number, frame):
    print("asked", flush=True)
    sys.exit(0)

signal.signal(signal.SIGUSR1, stop)
MPI.COMM_WORLD.Barrier()
if MPI.COMM_WORLD.rank == 0:
    print("ready", flush=True)
    print("read", sys.stdin.readline(), flush=True)
    print("then", repr(sys.stdin.readline()), flush=True)
"""


class Terminal:
    """A terminal of its own, with a job in its foreground."""

    def __init__(self, mpi: MPIEnvironment, program: Path) -> None:
        command = [str(mpi.python), "-c", driver(PATIENCE), str(mpi.mpiexec), "-n", "2", str(mpi.python), str(program)]
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            os.execve(command[0], command, mpi.full_environ(program.parent))
        self._shown = ""  # on its screen

    def type(self, text: str) -> None:
        os.write(self._file, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until the screen shows `text`."""
        while text not in self._shown:
            self._read()

    def exit_code(self) -> int:
        """Wait for the end of the job."""
        with suppress(OSError):  # which is how a terminal tells that nobody has it open any more
            while True:
                self._read()
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def close(self) -> None:
        """Hang up, which ends a job that still runs."""
        os.close(self._file)

    def _read(self) -> None:
        assert select.select([self._file], [], [], LIMIT)[0], f"nothing new for {LIMIT} s after {self._shown!r}"
        self._shown += os.read(self._file, 4096).decode()


@pytest.fixture
def terminal(mpi: MPIEnvironment, tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "program.py").write_text(PROGRAM)
    terminal = Terminal(mpi, tmp_path / "program.py")
    yield terminal
    terminal.close()


def test_what_is_typed_reaches_the_ranks(terminal: Terminal):
    terminal.wait_for("ready")
    terminal.type("a line\n")
    terminal.wait_for("read a line")
    terminal.type("another\n")
    terminal.wait_for(r"then 'another\n'")
    assert terminal.exit_code() == 0


@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)  # Open MPI 5.0.11 keeps the end of its input to itself, also without us
def test_the_end_of_what_is_typed_reaches_the_ranks(terminal: Terminal):
    terminal.wait_for("ready")
    terminal.type("a line\n\x04")  # Ctrl-D
    terminal.wait_for("then ''")
    assert terminal.exit_code() == 0


def test_ctrl_c_asks_the_ranks(terminal: Terminal):
    terminal.wait_for("ready")
    terminal.type("\x03")  # Ctrl-C
    terminal.wait_for("asked")
    assert terminal.exit_code() == 130
