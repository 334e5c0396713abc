"""Every message, one frozen typed struct each, grouped by sender -> receiver.

A message is a header: small, typed, decoded by whoever gets it. What a user's objects became travels beside it, as frames
that only the far end opens. The type alone says which role it is for (`RECEIVERS`), so a rank is address enough.
"""

from __future__ import annotations

from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.records import Record, RecordRange
from mpikernel.wire.batches import DoneBatch as DoneBatch
from mpikernel.wire.batches import ReleasedBatch as ReleasedBatch
from mpikernel.wire.batches import RunBatch as RunBatch
from mpikernel.wire.batches import SubmitBatch as SubmitBatch
from mpikernel.wire.deaths import EngineDied as EngineDied
from mpikernel.wire.deaths import EngineLost as EngineLost
from mpikernel.wire.deaths import RankGone as RankGone
from mpikernel.wire.message import Message as Message
from mpikernel.wire.questions import Answer as Answer
from mpikernel.wire.questions import AskStanding as AskStanding
from mpikernel.wire.questions import FetchCalls as FetchCalls
from mpikernel.wire.questions import FetchShared as FetchShared
from mpikernel.wire.questions import Purge as Purge
from mpikernel.wire.questions import Query as Query
from mpikernel.wire.questions import Standing as Standing
from mpikernel.wire.sitting import Seized as Seized
from mpikernel.wire.sitting import There as There
from mpikernel.wire.sitting import Where as Where
from mpikernel.wire.terms import Terms
from mpikernel.world.roles import Role

#: Raised whenever a struct below changes its meaning; a world of mixed versions is refused at boot.
PROTOCOL = 7

#: Stands for a client where there is none.
NOBODY = -1


# client -> engine (Apply: also task interface -> engine) ---------------------------------------------------------------


class Apply(Message, frozen=True, array_like=True, tag=1):
    """Call a function. Frames: `carried` of the function (0 where the engine has it), then those of (args, kwargs).

    `client` is the rank that gets the result. `attempt` is 0 for a direct call; a task's sender gets `Released` or `Failed`.
    A run that takes longer than `timeout` (seconds) is interrupted, unless that is 0. Of the arguments' frames, `named` have names, by
    their place: those that are empty were sent before under their name, and all of them are kept under it (see arguments.py).
    """

    call: int
    client: int
    function: bytes
    carried: int
    label: str
    attempt: int
    stream: bool
    timeout: float
    named: tuple[tuple[int, bytes], ...] = ()


class Execute(Message, frozen=True, array_like=True, tag=2):
    """Run source code in the engine's namespace; the value of a last expression is the result."""

    call: int
    code: str
    filename: str
    stream: bool


class Push(Message, frozen=True, array_like=True, tag=3):
    """Bind names. Frames: a tuple of values, one for each name."""

    call: int
    names: tuple[str, ...]


class Pull(Message, frozen=True, array_like=True, tag=4):
    """Send back the values of names (dotted names too): a bare one if `single`, else a list."""

    call: int
    names: tuple[str, ...]
    single: bool


class Keys(Message, frozen=True, array_like=True, tag=5):
    """Send back the names that are bound."""

    call: int


class Clear(Message, frozen=True, array_like=True, tag=6):
    """Empty the namespace."""

    call: int


class CancelCalls(Message, frozen=True, array_like=True, tag=7):
    """Drop those of these calls that have not begun, and `interrupt` the one that runs."""

    calls: tuple[int, ...]
    interrupt: bool


class Interrupt(Message, frozen=True, array_like=True, tag=38):
    """Raise KeyboardInterrupt in whatever runs, once."""


class Gather(Message, frozen=True, array_like=True, tag=8):
    """Send back the value of a name; of a plain array of at least `least` bytes only its description, in `Described`."""

    call: int
    name: str
    least: int


class Give(Message, frozen=True, array_like=True, tag=9):
    """The answer to `Described`: send the array, in this order ("C", "F", "K": as it lies); or nothing, if it is not `wanted`."""

    call: int
    wanted: bool
    order: str


# engine -> client (Done: also task interface -> client) ------------------------------------------------------------------


class Done(Message, frozen=True, array_like=True, gc=False, tag=10):
    """A call ended. Frames: its result, or the description of its error. `error` is that error in one line.

    `status` is "ok", "error" or "aborted"; `engine` is -1 for what ran nowhere. Times are seconds since the epoch.
    The last `earlier` frames describe the error that came before, of a task that a recovery was to make good.
    """

    call: int
    engine: int
    status: str
    started: float
    completed: float
    stdout: str
    stderr: str
    error: str
    earlier: int = 0


class Output(Message, frozen=True, array_like=True, tag=11):
    """What a running call printed since the last time, for the script's terminal."""

    call: int
    engine: int
    stream: str
    text: str


class Cancelled(Message, frozen=True, array_like=True, tag=12):
    """The answer to CancelCalls and CancelTasks, after the `Done` of each call that was dropped."""

    dropped: tuple[int, ...]
    kept: tuple[int, ...]


class Described(Message, frozen=True, array_like=True, tag=13):
    """What a gather found is large. Frames: its description. The array follows, in `Done`, when `Give` asks for it, or unasked.

    Unasked it comes before the next call of the engine, which might change it.
    """

    call: int


class Lost(Message, frozen=True, array_like=True, tag=14):
    """engine, task interface -> client: there was no memory for a function or a named argument. Whoever needs it again sends it again."""

    name: bytes
    tasks: bool  # by the task interface


# client -> task interface --------------------------------------------------------------------------------------------------


class Submit(Message, frozen=True, array_like=True, tag=20):
    """Queue a task. Frames, and `named`, as in Apply. Of all tasks before `settled` the client has seen how they ended."""

    task: int
    function: bytes
    carried: int
    label: str
    submitted: float
    stream: bool
    terms: Terms
    settled: int
    named: tuple[tuple[int, bytes], ...] = ()


class SubmitFunction(Message, frozen=True, array_like=True, tag=23):
    """Keep a function that the terms of tasks submitted after this name as their recovery. Frames: the function."""

    function: bytes


class CancelTasks(Message, frozen=True, array_like=True, tag=21):
    """Drop those of these tasks that no engine has begun, and `interrupt` those that run."""

    tasks: tuple[int, ...]
    interrupt: bool


# engine -> task interface --------------------------------------------------------------------------------------------------


class Released(Message, frozen=True, array_like=True, tag=30):
    """A task ended well; its result went straight to the client."""

    task: int
    attempt: int
    started: float
    completed: float


class Failed(Message, frozen=True, array_like=True, tag=31):
    """A task raised, or was interrupted. Frames: the description of the error, for the client if there is no attempt left.

    `rejected`: the engine is not one for this task; it says why, and another may be.
    """

    attempt: int
    done: Done
    rejected: bool


class Withdrawn(Message, frozen=True, array_like=True, tag=32):
    """The answer of an engine to Withdraw: what it dropped, and what it had begun. `client` is as it was there."""

    dropped: tuple[int, ...]
    kept: tuple[int, ...]
    client: int


class Withdraw(Message, frozen=True, array_like=True, tag=33):
    """task interface -> engine: drop those of these tasks that have not begun, because this client wants them cancelled.

    If `client` is NOBODY, they are wanted by another engine. `interrupt` as in CancelTasks.
    """

    tasks: tuple[int, ...]
    client: int
    interrupt: bool


class LostForTasks(Message, frozen=True, array_like=True, tag=34):
    """engine -> task interface: as `Lost`."""

    name: bytes


# client -> engine, engine -> engine of the same host: pushes to shared memory ---------------------------------------------------


class PushShared(Message, frozen=True, array_like=True, tag=35):
    """As Push, with frames in shared memory, of which `SharedArea` tells for this call; the push waits for that.

    `sizes` are the lengths of the frames that are there, 0 for each that comes along. An engine that `leads` gets all frames: it puts
    them where the engines of its host can share them, and tells its `fellows` (ranks), to each of which one of `calls` was sent.
    """

    call: int
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    leads: bool
    fellows: tuple[int, ...]
    calls: tuple[int, ...]


class SharedArea(Message, frozen=True, array_like=True, tag=36):
    """Where the shared frames of a call are: see `arrays.shared_memory.Place`. Or what went wrong, if `error` says anything."""

    call: int
    sizes: tuple[int, ...]
    pid: int
    descriptor: int
    device: int
    inode: int
    error: str


class Unshare(Message, frozen=True, array_like=True, tag=37):
    """client -> engine that leads: everybody has what was shared with this call."""

    call: int


# client, task interface -> controller ----------------------------------------------------------------------------------------


class Note(Message, frozen=True, array_like=True, tag=40):
    """Records for the ledger: those of `ranges`, and then single ones; and what tasks call.

    Frames: what those of `kept_shared` and `kept_calls` say.
    """

    records: tuple[Record, ...]
    ranges: tuple[RecordRange, ...] = ()
    kept_shared: tuple[KeptShared, ...] = ()
    kept_calls: tuple[KeptCall, ...] = ()


class ScriptEnded(Message, frozen=True, array_like=True, tag=41):
    """The script is over; the world ends with this exit code."""

    code: int


# any rank <-> controller -----------------------------------------------------------------------------------------------------


class Signalled(Message, frozen=True, array_like=True, tag=50):
    """A rank was sent a signal that asks the world to end."""

    signum: int


class Stop(Message, frozen=True, array_like=True, tag=51):
    """controller -> all: stop what you do; the world ends with this exit code."""

    code: int
    reason: str


#: The reason of an end that nothing but the script's own brought about.
SCRIPT_ENDED = "the script ended"


class Goodbye(Message, frozen=True, array_like=True, tag=52):
    """A rank has stopped: out of user code, nothing left to say."""

    rank: int


class Leave(Message, frozen=True, array_like=True, tag=53):
    """controller -> all: everybody has stopped but those that have died; leave MPI."""

    died: tuple[int, ...] = ()


#: Which role reacts to what; None is for the loop of every rank itself.
RECEIVERS: dict[type[Message], Role | None] = {
    **dict.fromkeys(
        (
            *(Apply, Execute, Push, Pull, Keys, Clear, CancelCalls, Interrupt, Where, Withdraw, Gather, Give, RunBatch),
            *(PushShared, SharedArea, Unshare),
        ),
        Role.ENGINE,
    ),
    **dict.fromkeys((Done, DoneBatch, Output, Cancelled, Described, There, Lost, Answer, Standing, EngineDied), Role.SCRIPT),
    **dict.fromkeys((Submit, SubmitBatch, SubmitFunction, CancelTasks, Seized, EngineLost, AskStanding), Role.TASK),
    **dict.fromkeys((Released, ReleasedBatch, Failed, Withdrawn, LostForTasks), Role.TASK),
    **dict.fromkeys((Note, ScriptEnded, Signalled, Goodbye, Query, Purge, FetchCalls, FetchShared, RankGone), Role.CONTROLLER),
    **dict.fromkeys((Stop, Leave), None),
}

#: What overtakes everything else, on a communicator of its own.
URGENT = frozenset({Signalled, Stop})

AnyMessage = (
    Apply | Execute | Push | Pull | Keys | Clear | CancelCalls | Interrupt | Done | Output | Cancelled | Submit | CancelTasks
    | Released | Failed | Withdrawn | Withdraw | Note | ScriptEnded | Signalled | Stop | Goodbye | Leave
    | SubmitBatch | SubmitFunction | RunBatch | DoneBatch | ReleasedBatch
    | Gather | Give | Described | Where | There | Seized | Lost | LostForTasks | PushShared | SharedArea | Unshare
    | Query | Purge | FetchCalls | FetchShared | Answer | AskStanding | Standing
    | EngineDied | EngineLost | RankGone
)  # fmt: skip
