"""Worlds for tests: what the `world` fixture hands out. It turns ranks and arguments into a guarded run under one MPI."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypedDict, Unpack

import pytest

from tests.harness.environments import MPIEnvironment
from tests.harness.report import Finished
from tests.harness.running import Launch, Running

LIMIT = 60.0  # seconds; a world of seven ranks starts in one or two, so whoever gets here hangs


class Options(TypedDict, total=False):
    """What may be said about any run."""

    limit: float  # seconds until it is killed and the test fails
    stdin: str  # what it reads; nothing when not given
    env: Mapping[str, str]  # variables on top of those that the MPI needs
    cwd: Path  # the test's own folder when not given
    mpiexec_args: Iterable[str]  # between `mpiexec -n N` and the program
    expect: int | None  # the exit code, 0 when not given; None leaves it to the test


class World:
    """Runs worlds, and other commands, under one MPI. Calling it runs `mpiexec -n N python -m mpikernel ARGV`."""

    def __init__(self, mpi: MPIEnvironment, cwd: Path, make_folder: Callable[[], Path]) -> None:
        self.mpi = mpi
        self.cwd = cwd
        self._make_folder = make_folder  # for what a run prints: not in cwd, which belongs to the test
        self._runs: list[Running] = []  # all of them, so that the fixture can end what a failed test left

    def __call__(self, n: int, *argv: str | Path, **options: Unpack[Options]) -> Finished:
        """Run a world to its end and assert its exit code."""
        __tracebackhide__ = True
        return _expect(self.start(n, *argv, **options), options)

    def script(self, n: int, source: str, *argv: str | Path, **options: Unpack[Options]) -> Finished:
        """Run a world on a script with this source (indented as the test is)."""
        __tracebackhide__ = True
        return self(n, self._write("script.py", source, options), *argv, **options)

    def plain(self, n: int, source: str, *argv: str | Path, **options: Unpack[Options]) -> Finished:
        """Run an mpi4py program on N ranks, without mpikernel's own start."""
        __tracebackhide__ = True
        program = self._write("program.py", source, options)
        return self.command([*self._mpiexec(n, options), program, *argv], **options)

    def command(self, argv: Iterable[str | Path], **options: Unpack[Options]) -> Finished:
        """Run any command under the same guards and assert its exit code; the environment's programs come first on PATH."""
        __tracebackhide__ = True
        return _expect(self.start_command(argv, **options), options)

    def start(self, n: int, *argv: str | Path, **options: Unpack[Options]) -> Running:
        """Start a world and return while it runs. Use it in a with-statement."""
        return self.start_command([*self._mpiexec(n, options), "-m", "mpikernel", *argv], **options)

    def start_script(self, n: int, source: str, *argv: str | Path, **options: Unpack[Options]) -> Running:
        """Start a world on a script with this source and return while it runs."""
        return self.start(n, self._write("script.py", source, options), *argv, **options)

    def start_command(self, argv: Iterable[str | Path], **options: Unpack[Options]) -> Running:
        """Start any command and return while it runs."""
        folder = self._make_folder()
        launch = Launch(
            command=tuple(str(word) for word in argv),
            cwd=self._cwd(options),
            environ={**self.mpi.full_environ(folder), **options.get("env", {})},
            stdin=options.get("stdin"),
            limit=options.get("limit", LIMIT),
        )
        self._runs.append(Running(launch, folder))
        return self._runs[-1]

    def close(self) -> None:
        """End every run that still is one."""
        for running in self._runs:
            running.close()

    def _mpiexec(self, n: int, options: Options) -> list[str | Path]:
        return [self.mpi.mpiexec, "-n", str(n), *options.get("mpiexec_args", ()), self.mpi.python]

    def _write(self, name: str, source: str, options: Options) -> Path:
        path = self._cwd(options) / name
        path.write_text(textwrap.dedent(source))
        return path

    def _cwd(self, options: Options) -> Path:
        return options.get("cwd", self.cwd)


def _expect(running: Running, options: Options) -> Finished:
    __tracebackhide__ = True
    finished = running.wait()
    expected = options.get("expect", 0)
    if expected is not None and finished.exit_code != expected:
        pytest.fail(f"expected exit code {expected}\n{finished.report()}")
    return finished
