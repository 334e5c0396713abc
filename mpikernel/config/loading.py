"""Where settings come from: defaults < mpikernel.conf in the cluster directory < environment (MPIKERNEL_<KEY>) < command line.

Only rank 0 and command lines load; other ranks are told. Every value is checked, also one that is overridden further up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from mpikernel.config.settings import Settings
from mpikernel.config.spec import OPTIONS, PREFIX, convert, suggest
from mpikernel.errors import ConfigError, UsageError

CONF_NAME = "mpikernel.conf"
FOLDER = OPTIONS["cluster_dir"]


def load(cluster_dir: str | None, environ: Mapping[str, str], overrides: Mapping[str, str]) -> Settings:
    """The settings of a run, with an absolute `cluster_dir`.

    Args:
        cluster_dir: as the command line has it; None leaves it to the environment and the default.
        environ: the environment.
        overrides: what the command line says of everything else, by key.

    Raises:
        ConfigError: the file or the environment holds an unknown key or a value that is not allowed.
        UsageError: the command line does.
    """
    values: dict[str, Any] = dict(_from_environ(environ))
    if cluster_dir is not None:
        values[FOLDER.key] = convert(FOLDER, cluster_dir, FOLDER.flag, UsageError)
    folder = os.path.abspath(os.path.expanduser(values.get(FOLDER.key, FOLDER.default)))
    stated = {**dict(_from_file(os.path.join(folder, CONF_NAME))), **values, **dict(_from_command_line(overrides))}
    return Settings(**{**stated, FOLDER.key: folder})


def _from_file(path: str) -> Iterator[tuple[str, Any]]:
    if not os.path.lexists(path):
        return
    from mpikernel.config.conf_file import read  # here: most runs have no file, and need not wait for ConfigObj

    for entry in read(path):
        if entry.key == FOLDER.key:
            raise ConfigError(
                f"{entry.where}: {entry.key} cannot stand in the folder that it names; use {FOLDER.flag} or {FOLDER.variable}"
            )
        if entry.key not in OPTIONS:
            raise ConfigError(f"{entry.where}: {_unknown(entry.key)}")
        yield entry.key, convert(OPTIONS[entry.key], entry.text, entry.where, ConfigError)


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """An unknown variable is refused when its name is close to one of ours; others may have reasons of their own for the prefix."""
    for name in filter(lambda name: name.startswith(PREFIX), environ):
        key = name.removeprefix(PREFIX).lower()
        if key in OPTIONS:
            yield key, convert(OPTIONS[key], environ[name], f"environment variable {name}", ConfigError)
        elif meant := suggest(key, OPTIONS):
            raise ConfigError(f"environment variable {name}: there is no such setting; did you mean {OPTIONS[meant].variable}?")


def _from_command_line(overrides: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for key, text in overrides.items():
        if key not in OPTIONS:
            raise UsageError(f"command line: {_unknown(key)}")
        yield key, convert(OPTIONS[key], text, OPTIONS[key].flag, UsageError)


def _unknown(key: str) -> str:
    meant = suggest(key, OPTIONS)
    return f"there is no setting {key!r}; " + (f"did you mean {meant}?" if meant else f"the settings are {', '.join(OPTIONS)}")
