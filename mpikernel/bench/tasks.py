"""How many tasks are done in a second: a load-balanced view, beside master and workers in raw mpi4py, one call at a time for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import batched, repeat

from mpikernel.bench import inside, raw
from mpikernel.bench.calls import TaskCase, each, nothing, task_cases
from mpikernel.bench.measuring import Call, Contestant, Effort, contest, on_bare_stage
from mpikernel.bench.sheet import TASKS_PER_SECOND, Series, Sheet
from mpikernel.client.balanced import LoadBalancedView
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView

RAW = "raw mpi4py"
