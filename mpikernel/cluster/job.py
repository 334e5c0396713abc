"""One mpiexec from its start until nothing of it is left. Knows signals and exit codes, and not what is run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import psutil

from mpikernel.cluster.ending import LINGER, end
from mpikernel.cluster.guard import guarded
from mpikernel.cluster.inbox import Inbox
from mpikernel.cluster.processes import mark_environment, new_mark, sweep, wait_gone
from mpikernel.cluster.terminal import Feed
from mpikernel.errors import LaunchError

#: These end the job; the exit code is then 128 + the number, as a shell would have it.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
#: A batch system's warning that time runs out: the ranks are told, and decide themselves.
PASSED_ON = signal.SIGUSR1

PATIENCE = 4.0  # seconds that a world gets to end in order: what its ranks take at most by default (the setting `grace`), and one more


class Job:
    """A command that starts ranks, in a session of its own, with our standard input, output and error."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], patience: float = PATIENCE) -> None:
        self._command = tuple(command)
        self._mark = new_mark()  # by which its processes are known
        self._environ = mark_environment(environ, self._mark)
        self._patience = patience

    def run(self) -> int:
        """Run it to its end; blocks. Must be called in the main thread.

        Returns:
            The exit code of mpiexec; 128 + n when signal n ended it, or asked us to end it (a second Ctrl-C does not wait for order).

        Raises:
            LaunchError: mpiexec cannot be started.
        """
        with Inbox((*_heeded(), PASSED_ON, signal.SIGCHLD)) as inbox:
            feed = Feed()
            child = self._start(feed.source)
            mpiexec = psutil.Process(child.pid)
            with guarded(lambda: self._end_orphan(mpiexec)):
                feed.start()
                stopped_by = _watch(mpiexec, inbox)
                hung = self._end(mpiexec, inbox) if stopped_by else sweep(self._mark, LINGER)
            for process in hung:
                print(f"mpikernel: process {process.pid} hangs in the kernel and cannot be killed", file=sys.stderr)
            status = child.poll()  # last: until then nobody else gets its process id
        if stopped_by or status is None:
            return 128 + (stopped_by or signal.SIGKILL)
        return status if status >= 0 else 128 - status

    def _start(self, stdin: int) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(self._command, env=self._environ, stdin=stdin, start_new_session=True)
        except OSError as error:
            raise LaunchError(f"{self._command[0]} cannot be started: {error.strerror}") from None

    def _end(self, mpiexec: psutil.Process, inbox: Inbox) -> list[psutil.Process]:
        return end(mpiexec, self._mark, self._patience, lambda seconds: _wait_over(mpiexec, inbox, seconds))

    def _end_orphan(self, mpiexec: psutil.Process) -> None:
        """What the guard does when we are dead; mpiexec is not its child."""
        end(mpiexec, self._mark, self._patience, lambda seconds: not wait_gone(self._mark, seconds))


def _heeded() -> tuple[signal.Signals, ...]:
    """The signals that end the job, but for those that our caller wants to be ignored (nohup, or a shell's background job)."""
    return tuple(number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN)


def _watch(mpiexec: psutil.Process, inbox: Inbox) -> signal.Signals | None:
    """Wait for the end of mpiexec, or for a signal that asks us for it, which is returned."""
    while not _is_over(mpiexec):
        for signum in inbox.wait(None):
            if signum in STOPPING:
                return signum
            if signum == PASSED_ON:
                mpiexec.send_signal(signum)
    return None


def _is_over(mpiexec: psutil.Process) -> bool:
    """Whether our child has ended; it stays a zombie, so that its id stays its own."""
    return os.waitid(os.P_PID, mpiexec.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait_over(mpiexec: psutil.Process, inbox: Inbox, seconds: float) -> bool:
    """Wait for the end of our child; False when it did not come in time, or when Ctrl-C said not to wait."""
    deadline = time.monotonic() + seconds
    while not _is_over(mpiexec):
        left = deadline - time.monotonic()
        if left <= 0 or signal.SIGINT in inbox.wait(left):
            return False
    return True
