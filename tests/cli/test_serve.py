# SPDX-License-Identifier: Apache-2.0
"""Running the gateway from the command line."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.source_tree import ROOT
from trunkline_server.cli import main
from trunkline_server.cli.program import make_parser
from trunkline_server.cli.serve import find_program, format_banner
from trunkline_server.config.scalars import find_scalars
from trunkline_server.config.settings import Settings

KEY = {"name": "laptop", "sha256": "0" * 64}
BANNER = """\
Trunkline serves sim/echo, sim/tools, sim/json, sim/reasoner and 3 more.
  HTTP  http://127.0.0.1:8080/v1 and /api/v1 (OpenAI and OpenRouter JSON)
  gRPC  127.0.0.1:50051 (trunkline.v1)

Try it:
  curl -N http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model": "sim/echo", "stream": true, "messages": [{"role": "user", "content": "Hello, Trunkline"}]}'
  trunkline chat --model sim/echo "Hello, Trunkline"

Ctrl-C stops it."""


def test_the_banner() -> None:
    """Says where the gateway is and how to try it, ready to be pasted."""
    assert format_banner(Settings(), "http://127.0.0.1:8080", "127.0.0.1:50051") == BANNER


def test_the_banner_of_an_open_gateway() -> None:
    """Addresses that mean every interface are no addresses to call; a key is asked for where one is needed."""
    settings = Settings.model_validate({"keys": [KEY], "default_model": "sim/json"})
    banner = format_banner(settings, "http://0.0.0.0:80", "[::]:9")
    assert "curl -N http://127.0.0.1:80/v1" in banner
    assert '-H "authorization: Bearer $TRUNKLINE_API_KEY" \\\n    -d \'{"model": "sim/json"' in banner
    assert "trunkline chat --grpc [::1]:9 --model sim/json" in banner


def test_the_banner_of_an_empty_gateway() -> None:
    """A gateway without models says so."""
    assert "serves no model." in format_banner(Settings(simulator=False), "http://127.0.0.1:1", "127.0.0.1:2")


def test_the_banner_tells_whose_keys_there_are() -> None:
    """Providers with a key stand there with the variable that holds it."""
    banner = format_banner(Settings(), "http://127.0.0.1:1", "127.0.0.1:2", keys=["openai (OPENAI_API_KEY)"])
    assert "\n  gRPC  127.0.0.1:2 (trunkline.v1)\n  Keys  openai (OPENAI_API_KEY)\n\nTry it:" in banner


def test_every_setting_has_its_flag() -> None:
    """Each flag is taken and lands in the settings under its own name."""
    for scalar in find_scalars():
        argv = ["serve", scalar.flag] + ([] if scalar.kind == "switch" else ["1"])
        assert vars(make_parser().parse_args(argv))[scalar.flag] is not None


@pytest.mark.parametrize(
    ("argv", "environment", "words"),
    [
        (["--http", "0.0.0.0:0"], {}, "--http: http.listen: without keys the gateway serves this machine alone"),
        (["--grpc", "0.0.0.0:0"], {}, "--grpc: grpc.listen: without keys"),
        (["--log-format", "xml"], {}, "--log-format: log.format: must be 'text' or 'json'"),
        ([], {"TRUNKLINE_GRPC__LISTEN": "0.0.0.0:0"}, "TRUNKLINE_GRPC__LISTEN: grpc.listen: without keys"),
        ([], {"TRUNKLINE_CONFIG": "nowhere.toml"}, "cannot read the settings file nowhere.toml"),
        (["--config", "nowhere.toml"], {}, "cannot read the settings file nowhere.toml"),
    ],
)
def test_unsafe_or_wrong_settings_do_not_start(
    argv: list[str], environment: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing listens before the settings are sound."""
    assert main(["serve", *argv], environment) == 1
    assert words in capsys.readouterr().err


def start_gateway(*argv: str) -> "subprocess.Popen[str]":
    """A gateway in a process of its own, with the environment of the test's and no settings from it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRUNKLINE_")}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("clients/python", "server"))
    return subprocess.Popen(
        [sys.executable, "-m", "trunkline_server", "serve", *argv],
        env={**environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serving_until_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    """The banner comes when both ports listen; a signal drains, and the status is 0."""
    config = tmp_path / "g.toml"
    config.write_text('http.listen = "127.0.0.1:0"\ngrpc.listen = "127.0.0.1:0"\ndrain.grace_s = 1\n', encoding="utf-8")
    with start_gateway("--config", str(config)) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert lines[0].startswith("Trunkline serves sim/echo")
    assert "http://127.0.0.1:" in lines[1]
    assert (process.returncode, "Traceback" in err) == (0, False)


@pytest.mark.parametrize("flag", ["--http", "--grpc"])
def test_a_taken_port(flag: str) -> None:
    """The complaint names the flags that choose another."""
    other = {"--http": "--grpc", "--grpc": "--http"}[flag]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with start_gateway(flag, address, other, "127.0.0.1:0") as process:
            _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("trunkline: cannot listen: ")


@pytest.mark.parametrize(
    ("started_as", "path", "typed"),
    [
        (".venv/bin/trunkline", "/nowhere", ".venv/bin/trunkline"),
        ("/usr/lib/python/trunkline_server/__main__.py", "/nowhere", "trunkline"),
    ],
)
def test_the_program_as_it_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, started_as: str, path: str, typed: str
) -> None:
    """Where the shell does not find the program, the banner says the path that it was started by."""
    monkeypatch.setenv("PATH", path)
    assert find_program(started_as) == typed
    assert f"{typed} chat --model" in format_banner(
        Settings(), "http://127.0.0.1:8080", "127.0.0.1:50051", program=typed
    )
