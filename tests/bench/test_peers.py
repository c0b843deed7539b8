# SPDX-License-Identifier: Apache-2.0
"""The other gateways: found by being there, named where they are absent, told the models by names that the fake upstream understands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.gateways import API_KEY, HTTP_PATH, MODELS, Gateway, Wire, find_peers
from bench.peers.bifrost import Bifrost
from bench.peers.litellm import LiteLlm, make_settings
from bench.peers.portkey import Portkey

NOWHERE = Path("/nowhere")
ABSENT: list[Gateway] = [Bifrost(program=NOWHERE), LiteLlm(folder=NOWHERE), Portkey(folder=NOWHERE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSite:
    """A site that starts nothing: it keeps what was to be started, and says the port that a program would print."""

    folder: Path
    upstream_http_port: int = 4321
    upstream_grpc_port: int | None = None
    commands: list[Sequence[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> int:
        """Keep it; the pid is made up."""
        self.commands.append(command)
        self.environments.append(environment or {})
        return 99

    def wait_for_output(self, pattern: str) -> str:
        """The port, at once."""
        return "1234"


def test_every_peer_is_found() -> None:
    """A module of bench/peers with a GATEWAY is a peer."""
    assert [peer.name for peer in find_peers()] == ["bifrost-core", "litellm", "portkey"]


@pytest.mark.parametrize("peer", ABSENT, ids=lambda peer: peer.name)
def test_an_absent_peer_says_what_to_do(peer: Gateway) -> None:
    """The reason names the target that installs it."""
    assert "make bench-peers" in str(peer.why_absent())


@pytest.mark.parametrize("tool", ["go", "node"])
def test_a_missing_tool_is_named(tool: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What cannot be built for want of a tool says which one to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    reasons = {"go": Bifrost(program=NOWHERE).why_absent(), "node": Portkey(folder=NOWHERE).why_absent()}
    assert f"install {tool} " in str(reasons[tool])


@pytest.mark.parametrize("peer", find_peers(), ids=lambda peer: peer.name)
def test_a_peer_is_called_as_openai_is(peer: Gateway, tmp_path: Path) -> None:
    """One process, one path, a key, and the body as it is: the model's name reaches the upstream unchanged."""
    site = FakeSite(folder=tmp_path)
    running = peer.start(site)
    call = running.calls[Wire.HTTP]
    assert (running.pids, list(running.calls), call.path) == ((99,), [Wire.HTTP], HTTP_PATH)
    assert call.headers["authorization"] == f"Bearer {API_KEY}"
    assert call.edit(b'{"model":"bench-paced"}') == b'{"model":"bench-paced"}'


@pytest.mark.parametrize("peer", find_peers(), ids=lambda peer: peer.name)
def test_a_peer_meets_the_upstream_on_loopback(peer: Gateway, tmp_path: Path) -> None:
    """Where the provider is stands in the command, in a file of the site or in the headers."""
    site = FakeSite(folder=tmp_path)
    call = peer.start(site).calls[Wire.HTTP]
    files = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    assert "http://127.0.0.1:4321" in " ".join([*site.commands[0], *files, *call.headers.values()])


def test_litellm_knows_every_model_and_its_price(tmp_path: Path) -> None:
    """The upstream's words stay in the names, and nothing is looked up for want of a price."""
    models = make_settings(4321)["model_list"]
    assert [model["model_name"] for model in models] == list(MODELS)
    assert [model["litellm_params"]["model"] for model in models] == [f"openai/{model}" for model in MODELS]
    assert {model["litellm_params"]["input_cost_per_token"] > 0 for model in models} == {True}


def test_litellm_runs_in_production_mode(tmp_path: Path) -> None:
    """Its environment says so, and fetches no price list."""
    site = FakeSite(folder=tmp_path)
    LiteLlm().start(site)
    wanted = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    assert wanted.items() <= site.environments[0].items()


def test_litellms_version_is_its_wheels(tmp_path: Path) -> None:
    """The version stands in the name of the installed package's folder."""
    (tmp_path / "lib/python3.11/site-packages/litellm-1.2.3.dist-info").mkdir(parents=True)
    assert LiteLlm(folder=tmp_path).find_version() == "1.2.3"


def test_portkeys_version_is_its_packages(tmp_path: Path) -> None:
    """The version is what the installed package says."""
    package = tmp_path / "node_modules/@portkey-ai/gateway"
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"version": "1.2.3"}), encoding="utf-8")
    assert Portkey(folder=tmp_path).find_version() == "1.2.3"


def test_bifrosts_version_is_the_pinned_one(tmp_path: Path) -> None:
    """The version is what go.mod asks for."""
    module = tmp_path / "go.mod"
    module.write_text("require (\n\tgithub.com/maximhq/bifrost/core v1.2.3\n)\n", encoding="utf-8")
    assert Bifrost(module=module).find_version() == "1.2.3"
