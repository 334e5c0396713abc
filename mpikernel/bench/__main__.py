"""`python -m mpikernel.bench`: reads the command line, has the bench run, prints its table. Knows no bench by name."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mpikernel.bench.benches import BENCHES, Bench
from mpikernel.bench.measuring import FULL, QUICK
from mpikernel.bench.report import as_json, as_table
from mpikernel.bench.starting import Starter
from mpikernel.cluster.mpi import find_mpiexec
from mpikernel.config.launcher import launcher_size
from mpikernel.errors import MpikernelError, UsageError

#: Exit code when nothing could be measured.
REFUSED = 2
INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """Run one bench to its end; the exit code."""
    options = _parser().parse_args(argv)
    bench: Bench = options.bench
    try:
        ranks = bench.ranks if options.ranks is None else options.ranks
        _check(ranks)
        starter = Starter(find_mpiexec(os.environ, options.mpiexec), os.environ)
        print(f"{bench.name} on {ranks} ranks ...", file=sys.stderr, flush=True)
        report = bench.run(starter, ranks, QUICK if options.quick else FULL)
        print(as_table(bench.name, report))
        if options.quick:
            print("\nThis was a quick run: it shows that everything works. Its figures, and what they are said to miss, mean nothing.")
        if options.json is not None:
            _write(options.json, as_json(bench.name, report))
    except MpikernelError as error:
        print(f"mpikernel.bench: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _check(ranks: int) -> None:
    if ranks < 2:
        raise UsageError(f"-n {ranks} leaves raw mpi4py nobody to talk to: a bench needs 2 ranks or more")
    started = launcher_size(os.environ)
    if started is not None and started[0] > 1:
        raise UsageError(f"this is one of {started[0]} ranks ({started[1]}), but a bench is one plain process, which starts mpiexec itself")


def _parser() -> argparse.ArgumentParser:
    about = "; ".join(f"{bench.name}: {bench.about}" for bench in BENCHES)
    parser = argparse.ArgumentParser("python -m mpikernel.bench", description=f"Measure mpikernel beside raw mpi4py. {about}.")
    parser.add_argument("bench", type=_bench_named, metavar="|".join(bench.name for bench in BENCHES), help="what is measured")
    usual = ", ".join(f"{bench.name} {bench.ranks}" for bench in BENCHES)
    parser.add_argument("-n", dest="ranks", type=int, metavar="RANKS", help=f"size of the world (default: {usual})")
    parser.add_argument("--quick", action="store_true", help="few repeats and small data: to see that it works, not how well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument("--mpiexec", metavar="CMD", help="the launcher (default: MPIEXEC, else the mpiexec beside this python or on PATH)")
    return parser


def _bench_named(name: str) -> Bench:
    for bench in BENCHES:
        if bench.name == name:
            return bench
    raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(bench.name for bench in BENCHES)}")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"the figures cannot be written to {path}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
