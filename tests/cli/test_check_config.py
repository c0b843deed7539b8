# SPDX-License-Identifier: Apache-2.0
"""Checking a settings file."""

import sys
from pathlib import Path

import pytest

from trunkline_server.cli import main
from trunkline_server.cli.check_config import summarise
from trunkline_server.config.settings import Settings

KEY = {"name": "laptop", "sha256": "0" * 64}


OPENAI = {
    "providers": [{"slug": "openai", "base_url": "https://api.openai.com/v1"}],
    "models": [
        {"slug": f"openai/{name}", "endpoints": [{"provider": "openai", "upstream_model": name}]}
        for name in ("gpt-4o", "unheard-of")
    ],
}


def test_a_sound_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Says ok and what the file amounts to."""
    path = tmp_path / "g.toml"
    path.write_text('http.listen = "127.0.0.1:9000"\n', encoding="utf-8")
    assert main(["check-config", str(path)], {}) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{path}: ok\n")
    assert "HTTP 127.0.0.1:9000, gRPC 127.0.0.1:50051" in out


def test_all_faults_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each on a line with its place, and the status is 1."""
    path = tmp_path / "g.toml"
    path.write_text('[http]\nlisten = "0.0.0.0:80"\nx = 1\n[drain]\ngrace_s = "x"\n', encoding="utf-8")
    assert main(["check-config", str(path)], {}) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.removeprefix(f"{path}:").partition(": ")[0] for line in captured.err.splitlines()[1:]] == [
        "2",
        "3",
        "5",
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "no keys, and this machine alone"),
        ({"insecure": True}, "no keys, and everybody who can connect"),
        ({"keys": [KEY]}, "1 key: laptop"),
        ({"keys": [KEY, {**KEY, "name": "ci"}]}, "2 keys: laptop, ci"),
        ({"simulator": False}, "0 models at 0 endpoints of 0 providers"),
        ({}, "7 given, 0 from shipped lists, 0 unknown"),
        (OPENAI, "7 given, 1 from shipped lists (genai-prices "),
        (OPENAI, "), 1 unknown"),
    ],
)
def test_the_summary(settings: dict[str, object], words: str) -> None:
    """Says what is offered, where, and to whom."""
    assert words in summarise(Settings.model_validate(settings))


def test_the_keys_of_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file it says what the environment amounts to: which providers are on and by which variable, never a key."""
    assert main(["check-config"], {"OPENAI_API_KEY": "sk-secret", "GROQ_API_KEY": "gsk-secret"}) == 0
    out = capsys.readouterr().out
    assert out.startswith("no file: ok\n")
    assert "  keys     groq (GROQ_API_KEY), openai (OPENAI_API_KEY)\n" in out
    assert "secret" not in out


def test_a_package_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that needs one says what to install; the file is sound all the same."""
    monkeypatch.setitem(sys.modules, "botocore", None)
    path = tmp_path / "g.toml"
    rows = (
        '[[providers]]\nslug = "bedrock"\nauth = "aws"\nbase_url = "https://bedrock-runtime.eu-west-1.amazonaws.com"\n'
    )
    path.write_text(rows, encoding="utf-8")
    assert main(["check-config", str(path)], {}) == 0
    assert "note: provider `bedrock`: the package botocore is missing" in capsys.readouterr().out
