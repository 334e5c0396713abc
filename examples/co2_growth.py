"""How fast does atmospheric CO2 grow, and how sure are we? A batch script: real data, thousands of tasks, a result file and a picture.

    ipcluster run -n 7 examples/co2_growth.py [--resamples N] [--seed N] [--out DIR]
    mpiexec -n 7 python -m mpikernel examples/co2_growth.py       (the same, with your MPI's own launcher)

It fits trend, acceleration and season to 44 years of weekly CO2 at Mauna Loa and bootstraps the fit (co2_model.py has the method and its
sources). It prints a table of estimates with 95 % intervals and writes co2_growth.h5 and, with matplotlib, co2_growth.png.

Every resample draws from a random stream of its own, named by the seed and the number of the resample. So the numbers are the same
however many engines there are and whichever engine does what.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import co2_model
import co2_output
import numpy as np

from mpikernel import AsyncResult, Client, DirectView

DATA = Path(__file__).resolve().parent / "data" / "mauna_loa_co2_weekly.csv"

# These three live on the engines: main() pushes them there, and one_resample finds them there.
study: co2_model.Study
block: int
seed: int


def one_resample(number: int) -> np.ndarray:
    """Runs on an engine."""
    global study, block, seed  # those of the engine
    return co2_model.resample(study, block, seed, number)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Bootstrap of the Mauna Loa CO2 record.")
    parser.add_argument("--resamples", type=int, default=5000, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1958, help="names the random streams (default %(default)s)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the results (default: the current one)")
    options = parser.parse_args()
    if options.resamples < 100:
        parser.error("--resamples: an interval of 95 % needs 100 resamples at the very least")
    return options


def find_block_length(engines: DirectView, record: co2_model.Study) -> tuple[int, np.ndarray]:
    """Lags are dealt out to the engines, worked on where they are, and the autocorrelations collected in the order of the lags."""
    weeks = len(record.years)
    lags = np.arange(1, weeks // 4)
    engines.scatter("lags", lags)
    engines.execute("import co2_model; correlations = co2_model.autocorrelation(study.residuals, lags)")
    correlations = engines.gather("correlations")
    return co2_model.block_length(lags, correlations, weeks), correlations


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    dates, co2 = co2_model.read_weekly(DATA)
    record = co2_model.study(dates, co2)
    print(f"{len(co2)} weekly values of CO2 at Mauna Loa, {dates[0]} to {dates[-1]}")

    client = Client()
    engines = client[:]
    engines.block = True  # push, scatter, execute and gather below end before the next line
    engines.push({"study": record, "seed": options.seed})  # to every engine, once
    length, correlations = find_block_length(engines, record)
    engines.push({"block": length})
    print(f"Residuals are correlated over {length} weeks: that is the length of the blocks")

    tasks = client.load_balanced_view().map_async(one_resample, range(options.resamples), chunksize=16)
    tasks.wait_interactive()  # a progress bar; in a log file a line now and then
    resamples = np.array(tasks.get())

    intervals = co2_model.intervals(co2_model.read_values(record, record.coefficients), resamples)
    run = co2_output.Run(record, length, options.seed, correlations, resamples, intervals)
    co2_output.print_table(run)
    print_times(tasks)
    print("wrote", co2_output.write_hdf5(run, options.out / "co2_growth.h5"))
    write_picture(run, options.out / "co2_growth.png")


def print_times(tasks: AsyncResult) -> None:
    """`serial_time` is the sum over all tasks of the time that each took on its engine; `host` lists where each ran."""
    work, wall = tasks.serial_time, tasks.wall_time
    engines, cores = len(set(tasks.engine_id)), len(set(tasks.host)) * (os.cpu_count() or 1)
    print(f"{work:.1f} s of work in {wall:.1f} s: speed-up {work / wall:.1f} on {engines} engine(s)")
    if engines > cores:
        print(f"(they shared {cores} core(s), which makes each slower: alone, one engine would need less than {work:.1f} s)")


def write_picture(run: co2_output.Run, path: Path) -> None:
    try:
        import co2_figure  # only here: all but the picture works without matplotlib
    except ModuleNotFoundError as missing:
        if missing.name != "matplotlib":
            raise
        print("no picture: matplotlib is not installed (pip install 'mpikernel[demo]')")
        return
    print("wrote", co2_figure.draw(run, path))


if __name__ == "__main__":
    main()
