# SPDX-License-Identifier: Apache-2.0
"""The settings and their defaults."""

import pytest
from pydantic import ValidationError

from trunkline_server.config.settings import ProviderSettings, Settings


def test_the_defaults_serve_this_machine() -> None:
    """Without any source the gateway listens on loopback, without keys, with the simulator."""
    settings = Settings()
    assert (str(settings.http.listen), str(settings.grpc.listen)) == ("127.0.0.1:8080", "127.0.0.1:50051")
    assert (settings.insecure, settings.simulator, settings.keys) == (False, True, ())
    assert (settings.calls.default_timeout_s, settings.calls.max_timeout_s) == (600, 600)
    assert (settings.calls.max_body_bytes, settings.drain.grace_s) == (32 * 1024 * 1024, 30)
    assert (settings.http.first_byte_hold_s, settings.http.comment_interval_s) == (10, 15)


def test_settings_do_not_change() -> None:
    """What was checked stays as it was checked."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().http.first_byte_hold_s = 5


def test_a_key_of_a_provider_is_not_dumped() -> None:
    """Settings may be printed."""
    provider = ProviderSettings.model_validate({"slug": "p", "api_key": "sk-very-secret"})
    settings = Settings.model_validate({"providers": [provider]})
    assert "sk-very-secret" not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"


def test_every_setting_has_its_sentence() -> None:
    """A setting without an explanation does not get into the help."""
    fields = {**Settings.model_fields, **ProviderSettings.model_fields}
    sections = ("http", "grpc", "calls", "drain", "records", "log", "reload", "routing", "attempts", "limits", "fetch")
    assert [name for name, field in fields.items() if not field.description and name not in sections] == []
