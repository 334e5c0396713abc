"""Every Python block and every console block of the documents is run, and prints what is shown below it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.blocks import Block, documents, read_blocks
from tests.docs.consoles import commands_of
from tests.docs.likeness import compare
from tests.docs.programs import printed_by, program_of, program_path, steps_of
from tests.harness.environments import ROOT
from tests.harness.world import World

RANKS = 7  # of which four are engines
LIMIT = 60.0  # seconds for one command, or for one document's program

BLOCKS = {path.relative_to(ROOT).as_posix(): read_blocks(path) for path in documents()}


def names_with(language: str) -> list[str]:
    return [name for name, blocks in BLOCKS.items() if any(block.language == language and block.file is None for block in blocks)]


def write_file(block: Block, folder: Path) -> None:
    assert block.file is not None
    path = folder / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


def environ_of(world: World) -> dict[str, str]:
    """The commands of the clone come first on PATH, as if they were installed."""
    return {"PATH": os.pathsep.join((str(ROOT / "bin"), world.mpi.environ["PATH"])), "COLUMNS": "80"}


@pytest.mark.parametrize("name", names_with("python"))
def test_programs(world: World, name: str) -> None:
    for block in BLOCKS[name]:
        if block.file is not None and block.file.endswith(".py"):
            write_file(block, world.cwd)
    steps = steps_of(BLOCKS[name])
    path = program_path(ROOT / name, world.cwd)
    output = world.cwd / "printed"
    path.write_text(program_of(steps, output), encoding="utf-8")
    world(RANKS, path, limit=LIMIT)
    wrong = [compare(step.block.place, step.shown, printed) for step, printed in printed_by(steps, output)]
    assert not any(wrong), "\n".join(wrong)


@pytest.mark.parametrize("mpi", ["mpich"], indirect=True)  # the quicker of the two to start
@pytest.mark.parametrize("name", names_with("console"))
def test_commands(world: World, name: str) -> None:
    wrong = []
    for block in BLOCKS[name]:
        if block.file is not None:
            write_file(block, world.cwd)
        elif block.language == "console":
            for command in commands_of(block):
                finished = world.command(["bash", "-c", command.words], env=environ_of(world), limit=LIMIT, expect=None)
                wrong.append(compare(command.place, command.shown, finished.stdout, finished.stderr))
    assert not any(wrong), "\n".join(wrong)
