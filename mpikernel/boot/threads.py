"""How many threads the numerical libraries of a rank may start.

OpenBLAS, MKL and OpenMP start one for each core that they see. With many ranks on a host they would fight for the cores: an
analysis with 7 ranks on 2 cores took four times as long. So each rank gets its share, unless the user has said otherwise.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def share_cores(environ: MutableMapping[str, str], cores: int, ranks_here: int) -> None:
    """Set what is not set. Must come before numpy is imported.

    Args:
        environ: the environment of this process.
        cores: cores that this process may use.
        ranks_here: ranks of the world on this host.
    """
    asked = environ.get("SLURM_CPUS_PER_TASK", "")
    share = int(asked) if asked.isdecimal() else max(1, cores // ranks_here)
    if VARIABLES[0] in environ:
        return
    for variable in VARIABLES:
        environ.setdefault(variable, str(share))


def share_cores_of_host(ranks_here: int) -> None:
    """`share_cores` for this process."""
    share_cores(os.environ, len(os.sched_getaffinity(0)), ranks_here)
