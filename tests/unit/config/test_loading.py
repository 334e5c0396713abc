"""Which source of a setting wins, and what is said of one that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpikernel.config.loading import load
from mpikernel.config.settings import Settings
from mpikernel.errors import ConfigError, UsageError

Conf = Callable[[str], str]


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    """Writes mpikernel.conf into a cluster directory, whose path is returned."""

    def write(text: str) -> str:
        (tmp_path / "mpikernel.conf").write_text(text)
        return str(tmp_path)

    return write


def refusal(cluster_dir: str, error: type[Exception] = ConfigError) -> str:
    with pytest.raises(error) as caught:
        load(cluster_dir, {}, {})
    return str(caught.value)


def test_nothing_said_means_the_defaults_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert load(None, {}, {}) == Settings(cluster_dir=str(tmp_path / ".mpikernel"))


def test_command_line_beats_environment_beats_file_beats_defaults(conf: Conf):
    folder = conf("# ours\ngrace = 1\ncommit_records = 11\ninterfaces = 0\n")
    settings = load(folder, {"MPIKERNEL_COMMIT_RECORDS": "12", "MPIKERNEL_INTERFACES": "1"}, {"interfaces": "2"})
    assert (settings.grace, settings.commit_records, settings.interfaces, settings.stream) == (1.0, 12, 2, False)


def test_cluster_directory_comes_from_the_command_line_before_the_environment(tmp_path: Path):
    environ = {"MPIKERNEL_CLUSTER_DIR": str(tmp_path / "environment")}
    assert load(None, environ, {}).cluster_dir == str(tmp_path / "environment")
    assert load(str(tmp_path / "line"), environ, {}).cluster_dir == str(tmp_path / "line")


def test_cluster_directory_may_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("~/run", {}, {}).cluster_dir == str(tmp_path / "run")


def test_file_may_have_quotes_comments_and_blank_lines(conf: Conf):
    folder = conf('\n# a comment\n  log_level = "debug"  # why not\n\ngrace=2\n')
    settings = load(folder, {}, {})
    assert (settings.log_level, settings.grace) == ("debug", 2.0)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("grace = 1\ninterfaces = 9\n", 2, "interfaces cannot be '9'; allowed is a whole number from -1 to 2"),
        ("# grace = 1\n\ngrace = 1, 2\n", 3, "grace cannot be ['1', '2']"),
        ("loglevel = info\n", 1, "did you mean log_level?"),
        ("grace = 1\n[engine]\na = 1\n", 2, "there is no setting 'engine'; the settings are cluster_dir, log_level"),
        ("grace = 1\nstream\n", 2, "'stream' is not a line of the form key = value"),
        ("grace = 1\ngrace = 2\n", 2, "its key stands there twice"),
        ("cluster_dir = /elsewhere\n", 1, "use --cluster-dir or MPIKERNEL_CLUSTER_DIR"),
    ],
)
def test_file_errors_name_file_and_line(conf: Conf, text: str, line: int, says: str):
    folder = conf(text)
    told = refusal(folder)
    assert told.startswith(f"{folder}/mpikernel.conf, line {line}")
    assert says in told


def test_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "mpikernel.conf").write_bytes(b"grace = \xff")
    assert "mpikernel.conf: is not text in UTF-8" in refusal(str(tmp_path))


def test_file_that_cannot_be_read_is_refused(tmp_path: Path):
    (tmp_path / "mpikernel.conf").mkdir()
    assert "mpikernel.conf: cannot be read: Is a directory" in refusal(str(tmp_path))


def test_environment_errors_name_the_variable(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"environment variable MPIKERNEL_STREAM: stream cannot be 'maybe'; allowed is true or false"):
        load(str(tmp_path), {"MPIKERNEL_STREAM": "maybe"}, {})


def test_mistyped_variable_is_refused_and_others_are_not_ours(tmp_path: Path):
    with pytest.raises(ConfigError, match="did you mean MPIKERNEL_LOG_LEVEL"):
        load(str(tmp_path), {"MPIKERNEL_LOGLEVEL": "info"}, {})
    load(str(tmp_path), {"MPIKERNEL_JOB": "12", "OTHER_LOG_LEVEL": "x"}, {})


def test_command_line_errors_are_usage_errors_that_name_the_option(tmp_path: Path):
    with pytest.raises(UsageError, match="--commit-records: commit_records cannot be '0'"):
        load(str(tmp_path), {}, {"commit_records": "0"})
    with pytest.raises(UsageError, match="did you mean interfaces"):
        load(str(tmp_path), {}, {"interface": "0"})


def test_wrong_value_is_told_even_where_it_is_overridden(conf: Conf):
    with pytest.raises(ConfigError, match="line 1: grace"):
        load(conf("grace = soon\n"), {}, {"grace": "1"})
