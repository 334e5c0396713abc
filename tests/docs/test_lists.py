"""What the documents list is what there is: commands, settings, exit codes, folders, job scripts, goals of make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mpikernel.config.loading import load
from mpikernel.config.spec import OPTIONS
from mpikernel.world.exit_codes import BROKEN, FAILED, INTERRUPTED, USAGE
from tests.docs.blocks import Block, documents, read_blocks
from tests.harness.environments import ROOT

DOCS = ROOT / "docs"
EVERYTHING = [block for path in documents() for block in read_blocks(path)]


def code_of(text: str) -> list[str]:
    """The lines of a shell script, or directives to a batch system, without what only explains them."""
    bare = (re.sub(r"(^#(?!SBATCH |PBS |!).*| +# .*)", "", line).rstrip() for line in text.splitlines())
    return [line for line in bare if line]


@pytest.mark.parametrize("name", ["slurm.sh", "pbs.sh"])
def test_job_scripts_in_the_readme_are_short_forms_of_the_real_ones(name: str) -> None:
    real = iter(code_of((ROOT / "jobscripts" / name).read_text(encoding="utf-8")))
    mark = {"slurm.sh": "#SBATCH", "pbs.sh": "#PBS"}[name]
    (short,) = [block for block in read_blocks(ROOT / "README.md") if block.text.startswith("#!") and mark in block.text]
    assert [line for line in code_of(short.text) if line not in real] == []  # `in` uses the lines up, so their order counts too


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_goals_of_make_exist(path: Path) -> None:
    goals = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)(?:`|  )", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= goals


@pytest.mark.parametrize("block", [block for block in EVERYTHING if block.language == "ini"], ids=lambda block: block.place)
def test_settings_files_can_be_loaded(block: Block, tmp_path: Path) -> None:
    (tmp_path / "mpikernel.conf").write_text(block.text, encoding="utf-8")
    assert load(str(tmp_path), {}, {}) != load(str(tmp_path / "other"), {}, {})


def test_settings_that_documents_name_exist() -> None:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in documents())
    variables = set(re.findall(r"\bMPIKERNEL_[A-Z_]+", texts))
    assert variables <= {option.variable for option in OPTIONS.values()}


def test_exit_codes_are_those_of_the_package() -> None:
    listed = re.findall(r"^   \* - (\d+)$", (DOCS / "cluster.rst").read_text(encoding="utf-8"), re.MULTILINE)
    assert {FAILED, USAGE, BROKEN} <= {int(code) for code in listed}
    assert f"{INTERRUPTED} for Ctrl-C" in (DOCS / "cluster.rst").read_text(encoding="utf-8")


def test_the_tour_shows_every_part_of_the_house() -> None:
    shown = set(re.findall(r"^\.\. files:: (\S+)$", (DOCS / "house.rst").read_text(encoding="utf-8"), re.MULTILINE))
    there = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "mpikernel").rglob("*.py") if path.name != "__init__.py"}
    assert shown == there - {"mpikernel"}


def test_files_that_the_tour_points_at_exist() -> None:
    for page in ("house.rst", "design.rst"):
        named = re.findall(r"``([a-z/_]+/[a-z_]+\.py)``", (DOCS / page).read_text(encoding="utf-8"))
        assert named
        assert [name for name in named if not any((folder / name).exists() for folder in (ROOT, ROOT / "mpikernel"))] == []
