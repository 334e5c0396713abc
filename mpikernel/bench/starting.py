"""Starts worlds and other MPI programs, each under a time limit, and sees to it that nothing of them is left."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from mpikernel.cluster.batch import slots
from mpikernel.cluster.ending import LINGER
from mpikernel.cluster.guard import guarded
from mpikernel.cluster.mpi import Mpiexec
from mpikernel.cluster.processes import MARK_VARIABLE, members, new_mark, remove, shared_memory, sweep
from mpikernel.errors import LaunchError

#: Seconds for one program. A full bench takes five minutes on two idle cores; whoever gets here hangs.
LIMIT = 900.0

T = TypeVar("T")


class Ended(msgspec.Struct, frozen=True):
    """A program that ran well."""

    stdout: str
    begun: float  # seconds since the epoch, as `ended`
    ended: float

    def read(self, kind: type[T]) -> T:
        """The last line of what it printed, as what it means."""
        try:
            return msgspec.json.decode(self.stdout.rstrip().rpartition("\n")[2], type=kind)
        except msgspec.MsgspecError as error:
            raise LaunchError(f"the bench printed no figures but {self.stdout!r}: {error}") from error


class Starter:
    """Starts programs of this Python under one mpiexec. Blocks until they have ended."""

    def __init__(self, mpiexec: Mpiexec, environ: Mapping[str, str]) -> None:
        self._mpiexec = mpiexec
        self._environ = environ

    def world(self, ranks: int, program: tuple[str, ...]) -> Ended:
        """Run a program as the script of a world, whose ledger lies where users have theirs: in a folder in the working directory.

        The program gets that folder as its last argument, and may have files of its own there. It is gone afterwards.
        """
        try:
            folder = tempfile.TemporaryDirectory(prefix=".mpikernel-bench-", dir=os.getcwd())
        except OSError as error:
            raise LaunchError(f"no folder for a ledger can be made in {os.getcwd()}: {error.strerror}; go where you may write") from None
        with folder as path:
            return self.plain(
                ranks, ("-m", "mpikernel", f"--cluster-dir={path}", "--comm-world=world", "--log-level=warning", *program, path)
            )

    def plain(self, ranks: int, program: tuple[str, ...], limit: float = LIMIT) -> Ended:
        """Run `python *program` on so many ranks, for so many seconds at most.

        Raises:
            LaunchError: it could not be started, did not end in time, or ended with an error (which it has told on stderr).
        """
        command = self._mpiexec.command(ranks, (sys.executable, *program), slots(self._environ), root=os.geteuid() == 0)
        mark = new_mark()
        with guarded(lambda: _end(mark)):
            return _run(command, self._environ, mark, limit)


def _run(command: tuple[str, ...], environ: Mapping[str, str], mark: str, limit: float) -> Ended:
    own = {**environ, MARK_VARIABLE: mark}
    begun = time.time()
    try:
        child = subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
    except OSError as error:
        raise LaunchError(f"{command[0]} cannot be started: {error.strerror}") from None
    with child:
        try:
            stdout, _ = child.communicate(timeout=limit)
            ended = time.time()
        except subprocess.TimeoutExpired:
            raise LaunchError(f"{shlex.join(command)} was not over after {limit:.0f} s") from None
        finally:
            _end(mark)
    if child.returncode != 0:
        raise LaunchError(f"{shlex.join(command)} ended with exit code {child.returncode}")
    return Ended(stdout, begun, ended)


def _end(mark: str) -> None:
    """Kill what is left of a program, also where ranks have left the session of their mpiexec."""
    memory = shared_memory(members(mark))  # now: afterwards nobody can say whose it is
    sweep(mark, LINGER)
    remove(memory)
