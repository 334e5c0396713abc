"""What the ledger holds: one `Record` for every call and one `Run` for every time that a world was started.

Every rank imports this module, since records travel in messages; it must know nothing but msgspec.
Structs are stored as arrays, so a field is only ever added at the end and with a default; anything else raises FORMAT.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

#: Kept in every ledger; a ledger of another format is refused when it is opened.
FORMAT = 1

#: Where a record is: its run, and its task in it. Their order is the order of reading.
Position = tuple[int, int]

#: How a call stands: `Record.status` is one of these.
SUBMITTED, OK, ERROR, ABORTED = STATUSES = ("submitted", "ok", "error", "aborted")


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One call: a direct command on one engine, or a task. Written when it is submitted and again when it has ended.

    `task` is the key: the later record of a run replaces the earlier one of the same `task`, so a command
    that goes to four engines has four ids. Times are seconds since the epoch (UTC), 0.0 for what has not happened.

    Attributes:
        task: id of the call, unique in its run, not negative.
        kind: "apply", "execute", "push", "pull", "scatter", "gather", "task", or another word for what was asked.
        label: what the user would know it by: the function's name, the names that were pushed, the first line of the code.
        engine: where it ran, -1 while that is not known.
        rank: rank of that engine, -1 while that is not known.
        host: host of that engine, empty while that is not known.
        submitted: when the client handed it over.
        started: when the engine began it.
        completed: when the engine was through with it.
        status: one of STATUSES.
        error: one line such as "ValueError: no"; empty unless it failed.
        attempt: 1 for the first try, one more for each retry.
    """

    task: int
    kind: str
    label: str
    engine: int = -1
    rank: int = -1
    host: str = ""
    submitted: float = 0.0
    started: float = 0.0
    completed: float = 0.0
    status: str = SUBMITTED
    error: str = ""
    attempt: int = 1


class RecordRange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Records of consecutive tasks that differ in their times only, as one: for travelling, the ledger holds single ones.

    `times` are when each began, and then when each ended (native float64); empty if they have not.
    """

    first: int
    count: int
    label: str
    engine: int
    rank: int
    host: str
    submitted: float
    status: str
    times: bytes = b""


def expand(records: RecordRange) -> Iterator[Record]:
    """The single records of a range."""
    count = records.count
    times = memoryview(records.times).cast("d").tolist() if records.times else [0.0] * (2 * count)
    label, engine, rank, host, submitted, status = (
        records.label, records.engine, records.rank, records.host, records.submitted, records.status,
    )  # fmt: skip
    for task, started, completed in zip(range(records.first, records.first + count), times, times[count:], strict=False):
        yield Record(task, "task", label, engine, rank, host, submitted, started, completed, status)


class Run(msgspec.Struct, frozen=True, array_like=True):
    """One start of a world, from its boot to its exit code.

    Attributes:
        number: 1 for the first run of a cluster directory; the ledger assigns it.
        started: seconds since the epoch.
        ended: seconds since the epoch; 0.0 while it runs, and for ever if it was killed.
        exit_code: what mpiexec was given to pass on; -1 while `ended` is 0.0.
        program: the script, the module or the code that was run.
        argv: its arguments.
        size: ranks in the world.
        engines: engines among them.
        hosts: the hosts they were on, each once.
        mpi: name and version of the MPI library.
    """

    number: int
    started: float
    ended: float = 0.0
    exit_code: int = -1
    program: str = ""
    argv: tuple[str, ...] = ()
    size: int = 0
    engines: int = 0
    hosts: tuple[str, ...] = ()
    mpi: str = ""
