"""The command line of `python -m mpikernel`: what is ours, and what belongs to the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpikernel import __version__
from mpikernel.config.arguments import SETTINGS_FLAGS, parse, settings_words
from mpikernel.config.grammar import split
from mpikernel.config.launch import Help, Launch, Program
from mpikernel.config.spec import OPTIONS
from mpikernel.errors import UsageError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a script in it."""
    (tmp_path / "sweep.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def launch(*argv: str) -> Launch:
    found = parse(argv, {})
    assert isinstance(found, Launch)
    return found


def help_text(*argv: str) -> str:
    found = parse(argv, {})
    assert isinstance(found, Help)
    return found.text


def refusal(*argv: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(argv, {})
    return str(caught.value)


def test_what_follows_the_script_belongs_to_it():
    found = launch("--stream", "sweep.py", "--interfaces", "9", "-m", "--", "--help")
    assert found.program == Program("script", "sweep.py", ("--interfaces", "9", "-m", "--", "--help"))
    assert found.settings.stream


@pytest.mark.parametrize(
    ("argv", "program"),
    [
        (("-m", "package.sweep", "-c", "1"), Program("module", "package.sweep", ("-c", "1"))),
        (("-mpackage.sweep", "x"), Program("module", "package.sweep", ("x",))),
        (("-c", "print(1)", "--stream"), Program("code", "print(1)", ("--stream",))),
        (("-cprint(1)",), Program("code", "print(1)")),
        (("-c", ""), Program("code", "")),
        (("--", "sweep.py", "--"), Program("script", "sweep.py", ("--",))),
    ],
)
def test_programs_are_named_as_python_names_them(argv: tuple[str, ...], program: Program):
    assert launch(*argv).program == program


@given(args=st.lists(st.text()))
def test_no_argument_of_a_program_is_lost_or_read(args: list[str]):
    for kind, target in (("script", "sweep.py"), ("script", "-odd.py"), ("module", "package"), ("code", "")):
        program = Program(kind, target, tuple(args))
        assert split(("--stream", *program.words()), SETTINGS_FLAGS).program == program


@pytest.mark.parametrize("key", [key for key, option in OPTIONS.items() if option.base is not bool])
def test_every_setting_is_an_option_in_two_words_or_one(key: str):
    option = OPTIONS[key]
    for argv in ((option.flag, option.default_text), (f"{option.flag}={option.default_text}",)):
        assert split((*argv, "sweep.py"), SETTINGS_FLAGS).values == {key: option.default_text}


def test_a_negative_value_is_a_value():
    assert launch("--interfaces", "-1", "sweep.py").settings.interfaces == -1


def test_the_last_of_two_switches_counts():
    assert not launch("--stream", "--no-stream", "sweep.py").settings.stream
    assert launch("--no-stream", "--stream", "sweep.py").settings.stream


def test_command_line_beats_environment(folder: Path):
    environ = {"MPIKERNEL_LOG_LEVEL": "error", "MPIKERNEL_GRACE": "9", "MPIKERNEL_CLUSTER_DIR": "elsewhere"}
    found = parse(("--log-level", "debug", "--cluster-dir", "here", "sweep.py"), environ)
    assert isinstance(found, Launch)
    assert (found.settings.log_level, found.settings.grace, found.settings.cluster_dir) == ("debug", 9.0, str(folder / "here"))


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((), "nothing to run; usage: python -m mpikernel [options] SCRIPT"),
        (("--stream",), "nothing to run"),
        (("-m",), "-m needs the name of a module after it"),
        (("-c",), "-c needs the code to run after it"),
        (("--loglevel", "debug", "sweep.py"), "there is no option --loglevel; did you mean --log-level?"),
        (("-x", "sweep.py"), "there is no option -x; --help lists all"),
        (("--grace",), "--grace needs a value: --grace X"),
        (("--stream=yes", "sweep.py"), "--stream takes no value, but 'yes' was given"),
        (("--interfaces", "5", "sweep.py"), "--interfaces: interfaces cannot be '5'; allowed is a whole number from -1 to 2"),
    ],
)
def test_wrong_command_lines_are_explained(argv: tuple[str, ...], says: str):
    assert says in refusal(*argv)


def test_missing_script_is_named_with_the_working_directory(folder: Path):
    assert refusal("swep.py") == f"there is no script swep.py (working directory: {folder})"


def test_folder_is_no_script(folder: Path):
    assert refusal(str(folder)) == f"{folder} is a folder, not a script (working directory: {folder})"


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_help_lists_every_setting_with_its_default(option):
    text = " ".join(help_text("--help").split())
    assert f"{option.flag} " in text
    assert f"{option.comment} (default {option.default_text}; or {option.variable})" in text


def test_help_and_version_win_over_what_is_missing():
    assert help_text("--stream", "--help", "no.py").startswith("usage: python -m mpikernel")
    assert help_text("-h").startswith("usage: ")
    assert help_text("--version") == f"mpikernel {__version__}"


def test_settings_can_be_said_again_to_another_command():
    said = ("--grace", "2", "--no-stream", "--cluster-dir=there")
    again = settings_words(split((*said, "sweep.py"), SETTINGS_FLAGS))
    assert launch(*again, "sweep.py") == launch(*said, "sweep.py")


def test_a_run_without_a_file_does_not_wait_for_what_only_help_or_a_file_needs():
    code = "import sys; from mpikernel.config.arguments import parse; parse(['--grace', '1', '-c', ''], {}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not {"configobj", "mpikernel.config.help", "difflib", "argparse", "click", "numpy", "mpi4py"} & set(loaded)
