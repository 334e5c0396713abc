"""The spec says everything of every setting, and a text means the same wherever it stands."""

from __future__ import annotations

import msgspec
import pytest

from mpikernel.config.settings import Settings
from mpikernel.config.spec import OPTIONS, Option, convert, suggest
from mpikernel.errors import ConfigError


def test_spec_and_settings_name_the_same_keys_with_the_same_defaults():
    assert {key: option.default for key, option in OPTIONS.items()} == msgspec.structs.asdict(Settings())


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_setting_has_a_comment_and_bounds(option: Option):
    assert option.comment
    assert option.choices or option.base is str or " from " in option.allowed


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_default_is_allowed_as_a_text(option: Option):
    assert convert(option, option.default_text, "here", ConfigError) == option.default


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("stream", "true", True),
        ("stream", "False", False),
        ("interfaces", " 2 ", 2),
        ("grace", "10", 10.0),
        ("log_level", "debug", "debug"),
        ("cluster_dir", "runs/first", "runs/first"),
    ],
)
def test_texts_become_values(key: str, text: str, value: object):
    assert convert(OPTIONS[key], text, "here", ConfigError) == value


@pytest.mark.parametrize(
    ("key", "text", "allowed"),
    [
        ("interfaces", "3", "a whole number from -1 to 2 (default -1)"),
        ("interfaces", "1.5", "a whole number from -1 to 2"),
        ("grace", "nan", "a number from 0.1 to 600"),
        ("stream", "maybe", "true or false"),
        ("log_level", "loud", "debug, info, warning or error (default info)"),
        ("comm_world", "", "engines or world"),
        ("cluster_dir", " ", "a text that is not empty"),
        ("grace", ["1", "2"], "a number"),
    ],
)
def test_refusal_names_place_key_value_and_what_is_allowed(key: str, text: object, allowed: str):
    with pytest.raises(ConfigError) as caught:
        convert(OPTIONS[key], text, "mpikernel.conf, line 7", ConfigError)
    assert str(caught.value).startswith(f"mpikernel.conf, line 7: {key} cannot be {text!r}; allowed is {allowed}")


def test_settings_survive_the_broadcast():
    settings = Settings(cluster_dir="/somewhere", grace=1.5)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=Settings) == settings


def test_suggest_finds_a_near_name_only():
    assert suggest("loglevel", OPTIONS) == "log_level"
    assert suggest("zzz", OPTIONS) == ""
