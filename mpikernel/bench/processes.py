"""The processes of this world on this host, and how much memory they have and have had, as the kernel says (Linux).

Controller and task interface run no user code, so their memory is read from outside, by the script.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mpikernel.cluster.processes import MARK_VARIABLE, members
from mpikernel.config.launcher import launcher_rank
from mpikernel.errors import UsageError


def pids_by_rank() -> dict[int, int]:
    """The process of each rank on this host, in a world that a bench has started."""
    mark = os.environ[MARK_VARIABLE].split()[-1]
    found: dict[int, int] = {}
    for process in sorted(members(mark), key=lambda process: process.create_time()):
        rank = launcher_rank(process.environ())
        if rank is not None:
            found.setdefault(rank, process.pid)  # what a rank has started came after it
    return dict(sorted(found.items()))


def forget_peak(pid: int) -> None:
    """Let the peak of resident memory be what is resident now."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError as error:
        raise UsageError(f"the peak of a process's memory cannot be measured here: /proc/{pid}/clear_refs: {error.strerror}") from None


def peak(pid: int) -> int:
    """The peak of resident memory since it was forgotten; bytes."""
    return _bytes_in(f"/proc/{pid}/status", "VmHWM")


def proportional(pid: int) -> int:
    """Resident memory, where each process that shares a page has its share of it (PSS); bytes."""
    return _bytes_in(f"/proc/{pid}/smaps_rollup", "Pss")


def _bytes_in(path: str, entry: str) -> int:
    found = re.search(rf"^{entry}:\s+(\d+) kB$", Path(path).read_text(), re.MULTILINE)
    if found is None:
        raise UsageError(f"{path} does not say {entry}")
    return int(found[1]) << 10


def processor_time(pid: int) -> float:
    """Seconds that a process has been running on some core, in user code and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
