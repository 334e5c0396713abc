"""What rank 0 does before there is a world: reads the command line and the configuration, opens the ledger.

What comes of it (an Outcome) is broadcast: either all ranks go on, or all end with the same exit code and one of them says why.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from mpikernel.boot.agreement import Member, Outcome
from mpikernel.config.arguments import parse
from mpikernel.config.directory import ClusterDirectory
from mpikernel.config.launch import Help, Launch
from mpikernel.errors import MpikernelError, UsageError
from mpikernel.ledger.promise import Ledger
from mpikernel.ledger.records import Run
from mpikernel.world.exit_codes import USAGE
from mpikernel.world.layout import Layout, arrange


class Prepared(NamedTuple):
    """An outcome, and the ledger that only rank 0 has."""

    outcome: Outcome
    ledger: Ledger | None


def prepare(argv: Sequence[str], members: Sequence[Member], mpi: str) -> Prepared:
    """On rank 0: everything that can be wrong is found here, before anybody starts."""
    try:
        _check_encoding(argv)
        asked = parse(argv, os.environ)
        if isinstance(asked, Help):
            return Prepared(Outcome(None, None, asked.text), None)
        layout = arrange(len(members), interfaces=asked.settings.interfaces)
        ledger = _open(asked, layout, members, mpi)
        return Prepared(Outcome(asked, layout), ledger)
    except MpikernelError as error:
        return Prepared(Outcome(None, None, f"mpikernel: error: {error}", USAGE), None)


def _check_encoding(argv: Sequence[str]) -> None:
    """Refuse words that can neither travel to other ranks nor stand in the ledger. Bytes that are no UTF-8 come as lone surrogates."""
    for word in argv:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{word!r} on the command line is not UTF-8: rename the file, or use a UTF-8 locale") from None


def _open(launch: Launch, layout: Layout, members: Sequence[Member], mpi: str) -> Ledger:
    """Make the cluster directory, open its ledger, begin a run."""
    from mpikernel.ledger.lmdb import open_ledger  # here: only rank 0 has a ledger

    directory = ClusterDirectory(launch.settings.cluster_dir)
    directory.create()
    ledger = open_ledger(directory.ledger)
    program = launch.program
    run = Run(
        number=0,
        started=time.time(),
        program=program.target if program.kind == "script" else f"-{program.kind[0]} {program.target}",
        argv=program.args,
        size=layout.size,
        engines=len(layout.engines),
        hosts=tuple(dict.fromkeys(member.host for member in members)),
        mpi=mpi,
    )
    ledger.begin_run(run)
    return ledger
