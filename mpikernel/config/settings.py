"""The settings of a run: the one place that gives each its type, bounds, default and comment.

Checks, help, environment variables and mpikernel.conf are all made from these fields (see spec.py). The struct travels to every
rank when a world starts, so this module imports nothing but msgspec (which has loaded typing anyway).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Settings(Struct, frozen=True):
    """What every rank knows of how it is to work. Made by loading.py, which alone checks values."""

    cluster_dir: Annotated[
        str,
        Meta(min_length=1, description="folder of this run: mpikernel.conf, ledger, logs, results"),
    ] = "./.mpikernel"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="the least that is worth a line in the log"),
    ] = "info"
    stream: Annotated[
        bool,
        Meta(description="show what engines print on the script's terminal, engine id in front"),
    ] = False
    interfaces: Annotated[
        int,
        Meta(
            ge=-1,
            le=2,
            description="interfaces with a rank of their own: 0, 1 (script), 2 (script and task); -1: 2 from 4 ranks on, else 0",
        ),
    ] = -1
    comm_world: Annotated[
        Literal["engines", "world"],
        Meta(description="what MPI.COMM_WORLD is for Python code on engines: the engines alone, or all ranks"),
    ] = "engines"
    policy: Annotated[
        Literal["leastload", "lru", "plainrandom", "twobin", "weighted", "pure"],
        Meta(description="which engine gets a task of those that have room: who has least to do, waited longest, is drawn, or asks first"),
    ] = "leastload"
    crash_limit: Annotated[
        int,
        Meta(ge=1, le=1000, description="engines that may die of a task before it is given up, where engines can die alone"),
    ] = 3
    bulk_threshold: Annotated[
        int,
        Meta(ge=1, le=2**30, description="bytes from which a buffer is sent by itself, from the memory in which it lives"),
    ] = 131072
    transfer_window: Annotated[
        int,
        Meta(ge=1, le=2**50, description="bytes of large buffers under way to an engine, or untaken in results, from which senders wait"),
    ] = 256 * 2**20
    receive_memory: Annotated[
        int,
        Meta(ge=0, le=2**50, description="bytes of memory that a rank keeps to receive into again; the kernel may have it back any time"),
    ] = 512 * 2**20
    argument_cache: Annotated[
        int,
        Meta(ge=0, le=2**50, description="bytes of large arguments that come again in tasks, which a rank keeps to be sent them once"),
    ] = 256 * 2**20
    commit_interval: Annotated[
        float,
        Meta(ge=0.001, le=60, description="seconds after which the ledger commits what it has; a crash costs no more than that"),
    ] = 0.05
    commit_records: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="records after which the ledger commits at once"),
    ] = 4000
    keep_calls: Annotated[
        int,
        Meta(ge=0, le=2**31, description="bytes up to which the ledger keeps what a task is called with, to resubmit it; 0: keep nothing"),
    ] = 2**20
    keep_calls_total: Annotated[
        int,
        Meta(ge=0, le=2**50, description="bytes of what tasks are called with that the ledger keeps of one run"),
    ] = 2**30
    grace: Annotated[
        float,
        Meta(ge=0.1, le=600, description="seconds that ranks get to end by themselves before the world is aborted"),
    ] = 3.0
