"""One guarded run of a command: in a session of its own, under a time limit, with nothing left behind when it is over.

A run that breaks one of these rules ends the test with everything that is known about it. Knows nothing of MPI.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import psutil
import pytest

from tests.harness.processes import MARK, abort_python, describe, kill_marked, rank_process, wait_gone
from tests.harness.report import Finished, describe_run
from tests.harness.shared_memory import SharedMemory
from tests.harness.waiting import wait_until

LINGER = 5.0  # seconds that ranks may outlive mpiexec; the package promises that a world is gone in that time
STACKS = 2.0  # seconds that ranks get to print where they hang, before they are killed


@dataclass(frozen=True)
class Launch:
    """What is to be run, and for how long at most."""

    command: tuple[str, ...]
    cwd: Path
    environ: Mapping[str, str]
    stdin: str | None
    limit: float  # seconds


class Running:
    """A command that has been started. As a context manager it is ended at the latest when the block is left."""

    def __init__(self, launch: Launch, folder: Path) -> None:
        self._launch = launch
        self._mark = uuid.uuid4().hex
        self._shared = SharedMemory(self._mark)
        self._stdout = folder / "stdout"  # files, since a pipe that nobody reads stops the world when it is full
        self._stderr = folder / "stderr"
        self._started = time.monotonic()
        self._process = self._start(folder / "stdin")

    @property
    def pid(self) -> int:
        """The process id of the command itself, which for a world is mpiexec."""
        return self._process.pid

    @property
    def stdout(self) -> str:
        """What has been printed so far."""
        return self._stdout.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self._stderr.read_text(errors="replace")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the command itself, and to nothing that it has started."""
        self._process.send_signal(number)

    def rank(self, rank: int) -> psutil.Process:
        """The process of one rank of the world that is running."""
        __tracebackhide__ = True
        process = rank_process(self._mark, rank)
        return process if process is not None else self._fail(f"has no rank {rank}")

    def kill(self, ranks: int) -> None:
        """Kill the first so many ranks and then the command itself. A rank may end before its turn: one that dies takes others with it."""
        __tracebackhide__ = True
        for process in [self.rank(rank) for rank in range(ranks)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.send_signal(signal.SIGKILL)

    def wait_for_line(self, pattern: str, limit: float) -> re.Match[str]:
        """Wait until a line on stdout or stderr matches; the test fails when none does, or the command ends without one."""
        __tracebackhide__ = True
        wait_until(lambda: self._find(pattern) is not None or self._over(), limit)
        found = self._find(pattern)
        return found if found is not None else self._fail(f"printed no line like {pattern!r} within {limit} s")

    def wait(self, limit: float | None = None) -> Finished:
        """Wait for the end; the test fails when it does not come in time, or when something is left behind."""
        __tracebackhide__ = True
        seconds = self._launch.limit if limit is None else limit
        if not wait_until(self._over, seconds):
            self._fail(f"was still running after {seconds} s and was killed")
        finished = self._finish()
        if finished.exit_code == 0 and finished.shared_memory:
            pytest.fail(f"left in /dev/shm: {', '.join(finished.shared_memory)}\n{finished.report()}")
        return finished

    def close(self) -> None:
        """Kill what is still alive and remove what it leaves."""
        self._over()
        kill_marked(self._mark)
        self._process.wait()
        self._shared.take_left()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _start(self, stdin: Path) -> subprocess.Popen[bytes]:
        stdin.write_text(self._launch.stdin or "")
        with stdin.open("rb") as source, self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            return subprocess.Popen(
                self._launch.command,
                cwd=self._launch.cwd,
                env={**self._launch.environ, MARK: self._mark, "PYTHONFAULTHANDLER": "1"},
                stdin=source,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _over(self) -> bool:
        self._shared.look()
        return self._process.poll() is not None

    def _find(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.stdout, re.MULTILINE) or re.search(pattern, self.stderr, re.MULTILINE)

    def _finish(self) -> Finished:
        __tracebackhide__ = True
        seconds = time.monotonic() - self._started
        if left := wait_gone(self._mark, LINGER):
            lines = "\n".join(describe(process) for process in left)
            self._fail(f"was over, but left processes behind, which were killed:\n{lines}")
        code = self._process.returncode
        return Finished(
            command=self._launch.command,
            exit_code=128 - code if code < 0 else code,
            stdout=self.stdout,
            stderr=self.stderr,
            seconds=seconds,
            cwd=self._launch.cwd,
            shared_memory=self._shared.take_left(),
        )

    def _fail(self, outcome: str) -> NoReturn:
        """End the run and the test."""
        __tracebackhide__ = True
        self._print_stacks()
        self.close()
        pytest.fail(describe_run(self._launch.command, self._launch.cwd, outcome, self.stdout, self.stderr))

    def _print_stacks(self) -> None:
        """Have every rank write on stderr where it hangs: Python does so on SIGABRT when PYTHONFAULTHANDLER is set."""
        abort_python(self._mark)
        wait_until(self._over, STACKS)
