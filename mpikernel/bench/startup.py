"""How long it takes until a world is ready, beside a bare `from mpi4py import MPI` on as many ranks of the same mpiexec.

Ready is the world when its script has a client, and bare mpi4py when its last rank has imported MPI. "Start to end" is all of mpiexec.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable

from mpikernel.bench.measuring import Effort
from mpikernel.bench.sheet import MILLISECONDS, Place, Report, Sheet, summarize
from mpikernel.bench.starting import Ended, Starter
from mpikernel.errors import LaunchError

RAW = "raw mpi4py"
OURS = "mpikernel"

TELL_TIME = "import time; print(f'<{time.time():.6f}>', flush=True)"
WORLD = ("-c", f"from mpikernel import Client; client = Client(); {TELL_TIME}")
BARE = ("-c", f"from mpi4py import MPI; {TELL_TIME}")
TIME = re.compile(r"<(\d+\.\d+)>")  # in brackets, since lines of several ranks may run into one

UNCOMPILED = "PYTHONDONTWRITEBYTECODE is set: where mpikernel's files have not been compiled before, every rank compiles them at each start"

IMPORT = "from time import perf_counter; begun = perf_counter(); import mpikernel; print(perf_counter() - begun)"
IMPORT_LIMIT = 60.0  # seconds


def measure(starter: Starter, ranks: int, effort: Effort) -> Report:
    """Worlds and bare mpi4py in turns; the first of each only warms up the disk cache."""
    place = starter.world(ranks, ("-m", f"{__package__}.inside")).read(Place)
    starter.plain(ranks, BARE)
    took: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(effort.starts):
        _time(OURS, lambda: starter.world(ranks, WORLD), took)
        _time(RAW, lambda: starter.plain(ranks, BARE), took)
        took["import mpikernel", OURS].append(_time_import())
    series = [summarize(case, contestant, times) for (case, contestant), times in took.items()]
    notes = [UNCOMPILED] if sys.dont_write_bytecode else []
    return Report(place, [Sheet("start of a program on all ranks", MILLISECONDS, (RAW,), series, notes)])


def _time(contestant: str, start: Callable[[], Ended], took: dict[tuple[str, str], list[float]]) -> None:
    run = start()
    ready = max(map(float, TIME.findall(run.stdout)))
    took["until ready", contestant].append(ready - run.begun)
    took["start to end", contestant].append(run.ended - run.begun)


def _time_import() -> float:
    """What `import mpikernel` takes in a new Python."""
    try:
        run = subprocess.run((sys.executable, "-c", IMPORT), capture_output=True, text=True, timeout=IMPORT_LIMIT, check=True)
    except subprocess.SubprocessError as error:
        raise LaunchError(f"mpikernel cannot be imported in a new process: {error}") from None
    return float(run.stdout)
