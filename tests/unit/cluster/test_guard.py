"""The guard acts when its process is killed, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mpikernel.cluster.guard import guarded
from tests.harness.waiting import wait_until

ROOT = Path(__file__).parents[3]
LIMIT = 30.0  # seconds

#: Waits under guard; the guard writes down what it can be reached by.
VICTIM = """
import os, pathlib, signal, sys
from mpikernel.cluster.guard import guarded

def finish():
    said = f"session {os.getsid(0) == os.getpid()}, files {len(os.listdir('/proc/self/fd'))}"
    pathlib.Path(sys.argv[1] + ".new").write_text(said)
    os.rename(sys.argv[1] + ".new", sys.argv[1])

with guarded(finish):
    print("guarded", flush=True)
    signal.pause()
"""


def test_guard_acts_when_its_process_is_killed_and_holds_on_to_nothing(tmp_path: Path):
    said = tmp_path / "said"
    with subprocess.Popen([sys.executable, "-c", VICTIM, str(said)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "guarded\n"
        victim.kill()
        assert victim.stdout.read() == ""  # ends although the guard may still live
    assert wait_until(said.exists, LIMIT)
    assert said.read_text() == "session True, files 5"  # the standard three, the pipe to its process, and the listing itself


def test_nothing_happens_when_all_is_well(tmp_path: Path):
    with guarded((tmp_path / "said").touch):
        pass
    assert not (tmp_path / "said").exists()


def test_an_error_is_no_death(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), guarded((tmp_path / "said").touch):
        _ = 1 / 0
    assert not (tmp_path / "said").exists()
