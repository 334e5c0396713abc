"""An engine moves in: its namespace, what user code finds in mpikernel.engine, its output files, and its service."""

from __future__ import annotations

import faulthandler
import os
import time
from functools import partial

from mpikernel import engine
from mpikernel.boot.hosting import Rank
from mpikernel.engine.cutting import Cutter
from mpikernel.engine.giving_up import GivingUp
from mpikernel.engine.output import Output
from mpikernel.engine.runner import Runner, become_main
from mpikernel.engine.service import host_engine, serve, serve_pending
from mpikernel.engine.state import EngineState
from mpikernel.engine.staying import keep_process
from mpikernel.engine.watching import REACTIONS as ANSWERS
from mpikernel.engine.watching import Doing, Watcher
from mpikernel.wire.arguments import keep_arguments
from mpikernel.world.communicators import ids_in, show_engines_alone


def host(rank: Rank) -> None:
    number = rank.layout.engines.index(rank.rank)
    alone = len(rank.roles) == 1
    place = {"rank": rank.rank, "host": rank.hosts[rank.rank], "pid": os.getpid()}
    engine.introduce(id=number, size=len(rank.layout.engines), comm=rank.comms.engines, properties=place)
    output = Output(_log_folder(rank), number, always=alone)
    output.head(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} engine {number}, rank {rank.rank}, process {os.getpid()}")
    state = EngineState(number, rank.rank, rank.hosts[rank.rank], arguments=keep_arguments(rank.settings.argument_cache))
    runner = Runner(state, rank.loop, output)
    host_engine(rank.loop, runner)
    ids = partial(ids_in, engines=rank.comms.engines)
    cutter = Cutter(runner, rank.signals.send_cut)
    rank.signals.lands = cutter.land
    watcher = Watcher(runner, rank.signals.ask_for_sign, ids)
    rank.signals.lives = watcher.alive
    rank.loop.host(Doing(runner.state, watcher.look), ANSWERS)
    rank.loop.host(cutter, {}, lambda _cutter, _out, now: cutter.tick(now) if rank.loop.stop is None else None)
    rank.user_code.append(lambda: runner.in_user_code)
    rank.at_goodbye.append(lambda _out: output.close())
    if rank.settings.comm_world == "engines":
        show_engines_alone(rank.comms)
    if alone:
        cutter.unheard = GivingUp(runner, rank.loop.out, ids).unheard
        become_main(runner.namespace)
        output.open()
        faulthandler.enable(2)  # which is the engine's log: C code that crashes leaves at least the line that called it
        keep_process()
        rank.main = lambda: serve(rank.loop, runner)
    else:
        output.hook_breakpoints()
        rank.in_call = lambda: runner.in_this_thread
        rank.loop.guest = lambda: serve_pending(runner)


def _log_folder(rank: Rank) -> str:
    """Made here too: a host may not see the controller's file system."""
    folder = os.path.join(rank.settings.cluster_dir, "log")
    os.makedirs(folder, exist_ok=True)
    return folder
