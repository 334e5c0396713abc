"""A small command that runs any other as a job, so that jobs can be tested apart from worlds."""

from __future__ import annotations

from tests.harness.environments import ROOT


def driver(patience: float) -> str:
    """Python code that takes a command as its arguments; `patience` is how long (seconds) its ranks get to end in order."""
    return f"""\
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from mpikernel.cluster.job import Job
sys.exit(Job(sys.argv[1:], os.environ, patience={patience}).run())
"""
