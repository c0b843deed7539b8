# SPDX-License-Identifier: Apache-2.0
"""Making keys."""

import tomllib
from collections.abc import Callable

import pytest

from trunkline_server.cli import main
from trunkline_server.cli.keys import hash_key, is_mistyped, make_key
from trunkline_server.config.read import read_settings
from trunkline_server.config.sources import SettingsFile
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.admission import Admission, KeyRecord

KEY = make_key(bytes(range(32)))


@pytest.mark.parametrize("random_bytes", [bytes(32), b"\xff" * 32, bytes(range(32))])
def test_a_key_has_one_length(random_bytes: bytes) -> None:
    """Prefix, 43 digits, 6 of checksum, whatever the bytes."""
    key = make_key(random_bytes)
    assert (key[:3], len(key), key[3:].isalnum(), is_mistyped(key)) == ("tk-", 52, True, False)


def test_a_key_needs_its_bytes() -> None:
    """Fewer bits are refused."""
    with pytest.raises(ValueError, match="32 random bytes"):
        make_key(bytes(16))


@pytest.mark.parametrize(
    "key", [KEY[:-1], KEY + "x", KEY.replace("tk-0", "tk-1"), KEY.swapcase().replace("TK-", "tk-"), "tk-", "tk-short"]
)
def test_a_mistyped_key(key: str) -> None:
    """A key that lost or changed a character is recognised without asking anybody."""
    assert is_mistyped(key)


@pytest.mark.parametrize("key", ["sk-or-v1-abc", "", "secret"])
def test_a_key_of_another_form(key: str) -> None:
    """Only our own form has a checksum."""
    assert not is_mistyped(key)


def admission_for(text: str) -> Admission:
    """An admission with the keys of a settings file."""
    settings = read_settings(file=SettingsFile(name="g.toml", text=text))
    never: Callable[[], float] = lambda: 0.0  # noqa: E731 - a clock in one line
    return Admission(
        keys=[KeyRecord(name=key.name, sha256=key.sha256) for key in settings.keys],
        default_timeout_s=1,
        max_timeout_s=1,
        clock_s=never,
        monotonic_s=never,
        random_bytes=bytes,
    )


def test_a_new_key_opens_the_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    """The printed lines go into the file, the printed key into the header."""
    assert main(["keys", "new", "--name", 'Ada\'s "laptop"'], {}) == 0
    out = capsys.readouterr().out
    key = next(line.strip() for line in out.splitlines() if line.strip().startswith("tk-"))
    lines = out[out.index("[[keys]]") :]
    assert tomllib.loads(lines)["keys"][0]["sha256"] == hash_key(key)
    assert admission_for(lines).authenticate([f"Bearer {key}"]).name == 'Ada\'s "laptop"'
    with pytest.raises(GatewayError):
        admission_for(lines).authenticate([f"Bearer {KEY}"])


def test_keys_differ(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is random, and the default name is said."""
    main(["keys", "new"], {})
    main(["keys", "new"], {})
    out = capsys.readouterr().out
    assert len({line for line in out.splitlines() if line.startswith("  tk-")}) == 2
    assert 'name = "client"' in out


@pytest.mark.parametrize("name", ["", "  ", "a\nb"])
def test_a_key_needs_a_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in the log."""
    assert main(["keys", "new", "--name", name], {}) == 2
    assert "name" in capsys.readouterr().err
