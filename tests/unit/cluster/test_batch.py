"""How many ranks a job gets when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpikernel.cluster.batch import processes_given, processes_wanted, slots
from mpikernel.errors import LaunchError

CORES = len(os.sched_getaffinity(0))


def test_slurm_and_pbs_say_how_many(tmp_path: Path):
    nodes = tmp_path / "nodes"
    nodes.write_text("node1\nnode1\nnode2\n\n")
    assert processes_given({"SLURM_NTASKS": "16"}) == 16
    assert processes_given({"PBS_NP": "8", "PBS_NODEFILE": str(nodes)}) == 8
    assert processes_given({"PBS_NODEFILE": str(nodes)}) == 3


def test_what_the_batch_system_gave_is_wanted_and_fits():
    assert processes_wanted({"SLURM_NTASKS": "16"}) == slots({"SLURM_NTASKS": "16"}) == 16


def test_outside_of_a_job_there_is_a_rank_for_each_core():
    assert processes_given({}) is None
    assert processes_wanted({}) == CORES
    assert 1 <= slots({}) <= CORES


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "4(x2)"])
def test_nonsense_is_told_with_its_variable(text: str):
    with pytest.raises(LaunchError, match=r"SLURM_NTASKS is .* say how many are meant with -n"):
        processes_given({"SLURM_NTASKS": text})


def test_a_missing_node_file_is_named():
    with pytest.raises(LaunchError, match="PBS_NODEFILE names /nowhere/nodes, which cannot be read: No such file"):
        processes_given({"PBS_NODEFILE": "/nowhere/nodes"})
