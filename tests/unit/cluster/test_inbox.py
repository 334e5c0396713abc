"""Signals wait in the inbox, in order, and do what they did before when it is closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from mpikernel.cluster.inbox import Inbox


def test_signals_are_kept_until_somebody_looks():
    with Inbox((signal.SIGUSR1, signal.SIGUSR2)) as inbox:
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert inbox.wait(None) == [signal.SIGUSR2, signal.SIGUSR1]
        assert inbox.wait(0) == []


def test_the_end_of_a_child_wakes():
    with Inbox((signal.SIGCHLD,)) as inbox:
        child = subprocess.Popen([sys.executable, "-c", ""])
        assert inbox.wait(30) == [signal.SIGCHLD]
        child.wait()


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGTERM)
    with Inbox((signal.SIGUSR1, signal.SIGTERM)):
        assert signal.getsignal(signal.SIGUSR1) != before[0]
    assert (signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGTERM)) == before
    assert signal.set_wakeup_fd(-1) == -1
