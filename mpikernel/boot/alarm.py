"""How a rank that cannot go on has the others end too, where the launcher leaves them alone when one of them dies.

MPI's Abort ends one process there. So whatever the others do with MPI is made to fail, which is what most of them need to end by
themselves; and who does not, because it is in C code that never returns, is killed: on this host by itself, on others by the launcher.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mpikernel.boot.agreement import Member
from mpikernel.world.communicators import Intracomm, call_off


class Alarm:
    """One for each process; it learns of the world as that is made."""

    def __init__(self, comm: Intracomm) -> None:
        self.comms = [comm]
        self.members: Sequence[Member] = ()

    def sound(self, seconds: float) -> None:
        """End all other ranks, who get so long to end by themselves."""
        call_off(self.comms, seconds)
        here = os.uname().nodename
        for member in self.members:
            if member.host == here and member.pid != os.getpid() and _parent(member.pid) == os.getppid():
                with suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)
        if any(member.host != here for member in self.members):
            os.kill(os.getppid(), signal.SIGTERM)  # which is the launcher's own process on this host: it ends the job


def _parent(process: int) -> int:
    """Whose child a process is; 0 if it is not there. The number of one that has died may be another's by now."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0
