"""The command `ipcluster`: starts worlds, and tells what became of them.

`run` reads its command line as `python -m mpikernel` does, with the same code, since a program's own options follow; click does the rest.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

import click
from msgspec import Struct

from mpikernel import __version__
from mpikernel.cluster.batch import processes_wanted, slots
from mpikernel.cluster.job import Job
from mpikernel.cluster.mpi import find_mpiexec
from mpikernel.config.arguments import ASKING_FLAGS, SETTINGS_FLAGS, answer, conclude, settings_words
from mpikernel.config.grammar import Flag, Split, split
from mpikernel.config.launch import Help
from mpikernel.errors import MpikernelError, UsageError

USAGE = "ipcluster run [-n N] [options] SCRIPT [ARGS...] | -m MODULE [ARGS...] | -c CODE [ARGS...]"
INTRODUCTION = (
    "Start mpiexec with what the MPI at hand needs, run the program in a world of N ranks, pass signals on, and end with its exit code: "
    "130 after Ctrl-C, 143 after SIGTERM."
)
FLAGS = (
    Flag("-n", "ranks", metavar="N", comment="how many ranks (default: what the batch system gave the job, else one for each core)"),
    Flag("-np", "ranks", metavar="N", comment="the same as -n"),
    Flag("--mpiexec", "mpiexec", metavar="CMD", comment="the launcher (default: MPIEXEC, else the mpiexec beside this python or on PATH)"),
    Flag("--dry-run", "dry_run", text="true", comment="print the command and exit"),
    *SETTINGS_FLAGS,
    *ASKING_FLAGS,
)

#: Exit code when nothing was started: the command line, mpikernel.conf or the environment is wrong, or there is no mpiexec.
#: All others are the program's, or 128 + a signal's number.
REFUSED = 2

GRACE_MARGIN = 1.0  # seconds that we wait longer than ranks wait for each other, so that they come first


class Order(Struct, frozen=True):
    """What `run` was told to do."""

    command: tuple[str, ...]
    patience: float  # seconds that the world gets to end in order when it is stopped
    dry_run: bool


class Commands(click.Group):
    """The commands; what `history` needs is loaded when it is asked for, since `run` starts jobs and should be quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "history"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "history":
            return super().get_command(ctx, cmd_name)
        from mpikernel.cli.history import history  # here: see above

        return history


class Unread(click.Command):
    """A command that gets its words as they were typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["words"] = tuple(args)
        return []


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mpikernel", message="%(prog)s %(version)s")
def main() -> None:
    """Start worlds of MPI ranks, and see what became of them."""


@main.command(cls=Unread, short_help="Run a program in a world of its own.")
def run(words: tuple[str, ...]) -> None:
    """Run a program in a world of its own."""
    try:
        order = read_order(words, os.environ)
        if isinstance(order, Help):
            click.echo(order.text)
        elif order.dry_run:
            click.echo(shlex.join(order.command))
        else:
            sys.exit(Job(order.command, os.environ, order.patience).run())
    except MpikernelError as error:
        click.echo(f"ipcluster run: {error}", err=True)
        sys.exit(REFUSED)


def read_order(words: Sequence[str], environ: Mapping[str, str]) -> Order | Help:
    """What the words after `ipcluster run` come to.

    Raises:
        UsageError, ConfigError: they, the environment or mpikernel.conf are wrong.
        LaunchError: there is no mpiexec.
    """
    parts = split(words, FLAGS)
    asked = answer(parts, USAGE, INTRODUCTION, FLAGS)
    if asked is not None:
        return asked
    launch = conclude(parts, environ, USAGE)  # here already, so that what is wrong is told once and not by every rank
    ranks = _ranks(parts) or processes_wanted(environ)
    program = (sys.executable, "-m", "mpikernel", *settings_words(parts), *launch.program.words())
    mpiexec = find_mpiexec(environ, parts.values.get("mpiexec"))
    command = mpiexec.command(ranks, program, slots(environ), root=os.geteuid() == 0)
    return Order(command, launch.settings.grace + GRACE_MARGIN, "dry_run" in parts.values)


def _ranks(parts: Split) -> int | None:
    text = parts.values.get("ranks")
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"-n cannot be {text!r}; allowed is a whole number of ranks, from 1")
    return int(text)
