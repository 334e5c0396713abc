"""How many threads numerical libraries may start in a rank."""

from __future__ import annotations

from mpikernel.boot.threads import share_cores


def test_ranks_share_the_cores_of_their_host() -> None:
    environ: dict[str, str] = {}
    share_cores(environ, cores=16, ranks_here=5)
    assert environ == {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"}


def test_a_crowded_host_gives_each_rank_one() -> None:
    environ: dict[str, str] = {}
    share_cores(environ, cores=2, ranks_here=7)
    assert set(environ.values()) == {"1"}


def test_what_the_user_has_set_stays() -> None:
    environ = {"OMP_NUM_THREADS": "8"}
    share_cores(environ, cores=2, ranks_here=7)
    assert environ == {"OMP_NUM_THREADS": "8"}


def test_what_slurm_was_asked_for_counts() -> None:
    environ = {"SLURM_CPUS_PER_TASK": "4"}
    share_cores(environ, cores=128, ranks_here=64)
    assert environ["OMP_NUM_THREADS"] == "4"
