# SPDX-License-Identifier: Apache-2.0
"""xAI's messages without xAI's client."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
from xai_sdk.proto import chat_pb2

from support.source_tree import ROOT
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.xai import stubs
from trunkline_server.dialects.xai.stubs import NOT_INSTALLED, chat_stubs, image_stubs

PROGRAM = """
import sys
from trunkline_server.dialects.registry import DIALECT_NAMES
assert "xai" in DIALECT_NAMES
assert not any(name.startswith("trunkline_xai") for name in sys.modules)
from trunkline_server.dialects.xai.stubs import chat_stubs
chat_stubs().GetCompletionsRequest(model="m")
print(sorted({"xai_sdk", "opentelemetry", "requests", "aiohttp", "grpc"}.intersection(sys.modules)))
"""


def test_nothing_of_the_client_is_imported() -> None:
    """The messages come with the first request, and bring along neither xAI's client nor what that needs."""
    path = f"{ROOT / 'clients' / 'python'}:{ROOT / 'server'}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("['grpc']", "")


def test_they_are_the_clients_own() -> None:
    """Protobuf holds each message once, whichever way it came."""
    assert chat_stubs() is chat_stubs()
    assert chat_stubs().GetCompletionsRequest.DESCRIPTOR is chat_pb2.GetCompletionsRequest.DESCRIPTOR
    assert image_stubs().ImageDetail.Value("DETAIL_LOW") == 2


def _found(place: list[str] | None) -> ModuleSpec | None:
    spec = ModuleSpec("xai_sdk", None, is_package=True)
    spec.submodule_search_locations = place
    return spec if place is not None else None


@pytest.mark.parametrize("place", [None, [], ["/nowhere"]])
def test_without_the_package(place: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named with what to install."""

    def find(_name: str) -> Any:
        return _found(place)

    for name in [name for name in sys.modules if name.startswith("trunkline_xai_proto")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(stubs, "find_spec", find)
    with pytest.raises(GatewayError) as caught:
        chat_stubs()
    monkeypatch.delitem(sys.modules, "trunkline_xai_proto", raising=False)
    assert reason_name(caught.value.reason) == "FEATURE_UNAVAILABLE"
    assert caught.value.message == NOT_INSTALLED
