"""One rank from its first line to its exit code.

Nothing here may hang: every wait has a limit, and who reaches it aborts the world, saying which rank and why.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn

import msgspec

from mpikernel import __version__
from mpikernel.boot.agreement import Member, Outcome
from mpikernel.boot.alarm import Alarm
from mpikernel.boot.hosting import Rank
from mpikernel.boot.log import Log
from mpikernel.boot.threads import share_cores_of_host
from mpikernel.boot.vigil import keep_vigil
from mpikernel.config.launcher import launcher_name, launcher_rank, launcher_size, ranks_may_die
from mpikernel.engine.staying import leave_at_once
from mpikernel.errors import CalledOffError, LaunchError, MpikernelError
from mpikernel.interfaces.script.program import set_path
from mpikernel.ledger.promise import Ledger
from mpikernel.wire.doorbell import Address, Doorbell
from mpikernel.wire.messages import PROTOCOL
from mpikernel.wire.waiting import sleep_exactly
from mpikernel.world.communicators import (
    Intracomm,
    check_threads,
    finalize,
    keep_from_finalizing,
    library,
    make_communicators,
    thread_level,
    world_of_this_process,
)
from mpikernel.world.exchange import broadcast, check_same, everyone
from mpikernel.world.exit_codes import BROKEN, INTERRUPTED, USAGE
from mpikernel.world.layout import Layout
from mpikernel.world.roles import Role
from mpikernel.world.standard_input import close_standard_input

_aborting = threading.Lock()
YES = b"yes"
#: Seconds after which a process that cannot end by itself (a thread of the user's that never ends) is ended.
EXIT_PATIENCE = 2.0
#: Seconds that leaving MPI may take, when all ranks have said goodbye.
FINALIZE_PATIENCE = 10
#: Seconds that mpiexec gets to pass on the last words of a rank that aborts the world; MPICH's drops what it has not read.
LAST_WORDS = 0.2


def main(argv: Sequence[str]) -> NoReturn:
    """Be one rank of a world. Does not return: the process ends with the world's exit code."""
    comm = world_of_this_process()
    rank = comm.Get_rank()
    alarm = Alarm(comm)
    abort = partial(_abort, comm, alarm, rank, os.dup(2))  # the terminal: an engine will have its log in that place
    try:
        bell = Doorbell()
        outcome, ledger, members = _agree(comm, rank, argv, bell.address)
    except MpikernelError as error:  # on every rank alike; the first one tells
        if rank == 0 and launcher_rank(os.environ) in (None, 0):  # where two MPIs are mixed up, every rank believes to be rank 0
            print(f"mpikernel: error: {error}", file=sys.stderr, flush=True)
        sys.exit(USAGE)
    except BaseException as error:  # on this rank alone: the others wait for it
        abort(error)
    if outcome.launch is None or outcome.layout is None:
        if rank == 0 and outcome.text:
            print(outcome.text, file=sys.stderr if outcome.code else sys.stdout, flush=True)
        sys.exit(outcome.code)
    try:
        code = _live(rank, alarm, abort, outcome, ledger, members, bell)
    except BaseException as error:
        abort(error)
    sys.exit(code)


def _agree(comm: Intracomm, rank: int, argv: Sequence[str], bell: Address) -> tuple[Outcome, Ledger | None, list[Member]]:
    """All ranks learn who is there and what is to be done."""
    _check_launch(comm.Get_size())
    own = Member(os.uname().nodename, os.getpid(), f"mpikernel {__version__} (protocol {PROTOCOL})", thread_level(), bell)
    members = [msgspec.msgpack.decode(said, type=Member) for said in everyone(comm, msgspec.msgpack.encode(own))]
    check_threads([member.threads for member in members])
    check_same([member.version for member in members], "version of mpikernel")
    if rank != 0:
        return msgspec.msgpack.decode(broadcast(comm, None), type=Outcome), None, members
    from mpikernel.boot.preparing import prepare  # here: configuration and ledger are rank 0's alone

    prepared = prepare(argv, members, library())
    broadcast(comm, msgspec.msgpack.encode(prepared.outcome))
    return prepared.outcome, prepared.ledger, members


def _check_launch(size: int) -> None:
    """Refuse a world of one that the launcher meant to be larger."""
    meant = launcher_size(os.environ)
    if meant is None or size > 1 or meant[0] == 1:
        return
    said = f"the launcher ({launcher_name(os.environ)}) says that it started {meant[0]} processes ({meant[1]}={meant[0]})"
    raise LaunchError(
        f"{said}, but this process's MPI ({library()}) sees a world of 1: two MPIs are mixed up. Start it with the mpiexec that belongs to "
        f"{sys.executable}, or install mpi4py for the MPI whose mpiexec you use; `ipcluster run` finds the right one"
    )


def _live(
    rank: int,
    alarm: Alarm,
    abort: Callable[[BaseException], object],
    outcome: Outcome,
    ledger: Ledger | None,
    members: Sequence[Member],
    bell: Doorbell,
) -> int:
    """Make the world, play this rank's roles until it ends, and return its exit code."""
    launch, layout = outcome.launch, outcome.layout
    assert launch is not None
    assert layout is not None
    set_path(launch.program)
    if rank != 0:
        close_standard_input()
    sleep_exactly()
    share_cores_of_host([member.host for member in members].count(members[rank].host))
    log = Log(launch.settings.log_level, os.path.join(launch.settings.cluster_dir, "log", f"rank-{rank}.log"))
    comms = make_communicators(layout)
    alarm.comms.append(comms.mail)
    alarm.members = members
    keep_from_finalizing()
    own = Rank(launch, log, ledger, layout, comms, [member.host for member in members])
    if _all_can_ring(bell, rank, members):
        own.listen_to(bell)
    own.move_in()
    keep_vigil(own, members)
    if rank == 0:
        log.info(announcement(layout, members))
    own.loop.broken = abort
    atexit.register(_leave_the_dead, own)  # now: what is registered first comes last, when the script has done what it does at its exit
    own.play()
    code = _own_code(own)
    _leave(own, code)
    return code


def _all_can_ring(bell: Doorbell, rank: int, members: Sequence[Member]) -> bool:
    """Whether every rank can wake every other; across hosts there are no bells. Collective."""
    if len(members) == 1 or len({member.host for member in members}) > 1:
        return False
    met = bell.meet({other: member.bell for other, member in enumerate(members) if other != rank})
    return all(said == YES for said in everyone(world_of_this_process(), YES if met else b"no"))


def _own_code(own: Rank) -> int:
    """The world's exit code on the script's rank, or the controller's if that has died; 0 on all others.

    Open MPI kills the other ranks as soon as one has ended with a code, and the script may have things to do at its exit.
    """
    assert own.loop.stop is not None
    tells = Role.CONTROLLER if own.layout.script in own.transport.dead else Role.SCRIPT
    return own.loop.stop.code if tells in own.roles else 0


def announcement(layout: Layout, members: Sequence[Member]) -> str:
    """The line in which a world tells what it is."""
    hosts = list(dict.fromkeys(member.host for member in members))
    where = f"host{'s' if len(hosts) > 1 else ''} {', '.join(hosts)}"
    return f"a world of {layout.size}: {layout.describe()}; {where}; {library()}, {thread_level()}"


def _leave(own: Rank, code: int) -> None:
    """Say goodbye, wait until everybody has, and finalize MPI."""
    own.say_goodbye()
    own.close()
    if not own.transport.dead:
        _finalize_in_time()
    own.signals.restore()
    if not own.may_linger:
        _end_by_force_later(code)


def _leave_the_dead(own: Rank) -> None:
    """End the process at once where ranks have died: MPI's finalization, which Python's exit brings, hangs now and then without them."""
    if own.transport.dead and own.loop.left:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # the script has closed or lost it
                stream.flush()
        leave_at_once(_own_code(own))


def _finalize_in_time() -> None:
    """Leave MPI. It waits for all ranks, and holds the GIL meanwhile, so only the kernel can end a wait that goes on for ever."""
    signal.setitimer(signal.ITIMER_REAL, 0)  # the script may have left a timer running
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(FINALIZE_PATIENCE)
    finalize()
    signal.alarm(0)


def _abort(comm: Intracomm, alarm: Alarm, rank: int, terminal: int, error: BaseException) -> NoReturn:
    """End the whole world because this rank cannot go on; the message names rank, host and reason."""
    import traceback  # here: most worlds never need it

    if not _aborting.acquire(blocking=False):  # another thread of this process is at it
        threading.Event().wait()
    if isinstance(error, CalledOffError):  # who called it off has said why, and brings the exit code
        leave_at_once(0)

    code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", BROKEN)
    try:
        text = "".join(traceback.format_exception(error)) if not isinstance(error, MpikernelError) else f"{type(error).__name__}: {error}\n"
    except BaseException:  # whatever the user's exception does when it is shown
        text = f"{type(error).__name__}\n"
    line = f"mpikernel: error: rank {rank} on {os.uname().nodename} ends the world: {text}"
    with suppress(OSError):  # nobody may be reading any more
        os.write(terminal, line.encode(errors="backslashreplace"))
    if ranks_may_die(os.environ):  # then MPI's Abort ends this process alone, and the others have to be told
        alarm.sound(LAST_WORDS)
    else:
        time.sleep(LAST_WORDS)
        comm.Abort(code)
    leave_at_once(code)


def _end_by_force_later(code: int) -> None:
    """MPI is done with; nothing that is left in this process may keep the world waiting."""
    timer = threading.Timer(EXIT_PATIENCE, _exit_without_python, (code,))
    timer.daemon = True
    timer.start()


def _exit_without_python(code: int) -> None:
    """End the process as a C program ends: MPICH takes its leave of mpiexec there, which else loses the world's exit code.

    PyDLL keeps the GIL, so that no thread of Python's runs while libraries are taken down.
    """
    import ctypes  # here: hardly ever needed

    signal.alarm(FINALIZE_PATIENCE)
    ctypes.PyDLL(None).exit(code)
