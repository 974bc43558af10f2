"""The server's settings: where their values come from, and which are refused."""

import inspect
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from place_search.cli.commands.searching import serve
from place_search.photos import DecodeLimits
from place_search.search.errors import ServerError
from place_search.search.server.settings import ServerSettings, default_workers, server_settings


def test_the_constructor_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE_SEARCH_PORT", "9000")
    monkeypatch.setenv("PLACE_SEARCH_API_KEYS", "a key")
    assert ServerSettings().port == 8000
    assert ServerSettings().api_keys == ""
    assert ServerSettings.from_environment().port == 9000
    assert ServerSettings.from_environment(port=1).port == 1
    assert ServerSettings.from_environment(port=1).api_keys == "a key"
    assert "a key" not in repr(ServerSettings.from_environment())


def test_variables_have_the_types_of_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CORS": "https://a.example, https://b.example,",
        "KEYS": "/etc/keys",
        "WRITABLE": "1",
        "READ_SECONDS": "2.5",
        "WORKERS": "",
    }.items():
        monkeypatch.setenv(f"PLACE_SEARCH_{name}", value)
    settings = ServerSettings.from_environment()
    assert settings.cors == ("https://a.example", "https://b.example")
    assert settings.keys == Path("/etc/keys")
    assert settings.writable is True
    assert settings.read_seconds == 2.5
    assert settings.workers == default_workers()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("PORT", "70000"), ("PORT", "http"), ("PORT", "9_0"), ("PORT", "９０")),
        *(("WORKERS", "0"), ("LOG", "maybe"), ("DECODE_MB", "1")),
        *(("QUEUE_SECONDS", "1_0.5"), ("QUEUE_SECONDS", "inf")),
    ],
)
def test_a_variable_without_meaning_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"PLACE_SEARCH_{name}", value)
    with pytest.raises(ServerError, match=f"PLACE_SEARCH_{name} cannot be '{value}': .*[.]$"):
        ServerSettings.from_environment()


def test_settings_cannot_change_and_know_their_names() -> None:
    with pytest.raises(ValidationError):
        ServerSettings(ports=8000)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        ServerSettings().port = 1


def test_sizes_are_turned_into_bytes_and_pixels() -> None:
    settings = ServerSettings(max_body_mb=2, decode_mb=64, max_megapixels=3, decode_seconds=1)
    assert settings.max_body_bytes == 2 << 20
    assert settings.decode == DecodeLimits(1.0, 64 << 20, 3_000_000, 1.5)
    assert ServerSettings().decode == DecodeLimits()


def test_each_setting_is_an_option_with_its_default_and_bounds() -> None:
    options = inspect.signature(serve.command).parameters
    declared = [setting for setting in server_settings() if setting.on_command_line]
    assert list(options) == ["context", "index", *(setting.name for setting in declared)]
    for setting in declared:
        option = get_args(options[setting.name].annotation)[1]
        assert option.envvar == setting.env
        assert (option.min, option.max) == (setting.min, setting.max)
        assert options[setting.name].default == setting.default
        assert option.help == setting.help
    port = next(setting for setting in declared if setting.name == "port")
    assert (port.min, port.max, port.default) == (0, 65535, 8000)
    assert "api_keys" not in options
