# SPDX-License-Identifier: Apache-2.0
"""Which gateway a command talks to."""

import argparse

import grpc
import pytest

from support.terminals import make_terminal
from trunkline.errors import TrunklineError
from trunkline_server.cli.gateway import add_gateway_flags, describe_failure, find_key, grpc_gateway, http_gateway
from trunkline_server.cli.keys import make_key
from trunkline_server.cli.terminal import CommandError

KEY = make_key(bytes(32))


def parse(*argv: str) -> argparse.Namespace:
    """The arguments of a command with the gateway's flags."""
    parser = argparse.ArgumentParser()
    add_gateway_flags(parser)
    return parser.parse_args(argv)


@pytest.mark.parametrize(
    ("argv", "environment", "key"),
    [
        ([], {}, None),
        ([], {"TRUNKLINE_API_KEY": "sk-1"}, "sk-1"),
        (["--key", KEY], {"TRUNKLINE_API_KEY": "sk-1"}, KEY),
        ([], {"TRUNKLINE_API_KEY": ""}, None),
    ],
)
def test_finding_the_key(argv: list[str], environment: dict[str, str], key: str | None) -> None:
    """The flag wins over the variable."""
    assert find_key(parse(*argv), make_terminal(environment=environment)) == key


def test_a_mistyped_key_is_not_sent() -> None:
    """The mistake is told at once, without the key."""
    with pytest.raises(CommandError, match="mistyped") as caught:
        find_key(parse("--key", KEY[:-1]), make_terminal())
    assert KEY[:-1] not in str(caught.value)


def test_the_http_gateway() -> None:
    """The URL, the key and the patience of the command."""
    gateway = http_gateway(parse("--http", "http://h", "--key", "k"), make_terminal(), timeout_s=3)
    assert (gateway.url, gateway.api_key, gateway.timeout_s) == ("http://h", "k", 3)


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/v1", "https://"])
def test_no_grpc_address(target: str) -> None:
    """An address that cannot be one is a mistake in the command line."""
    with (
        pytest.raises(CommandError) as caught,
        grpc_gateway(parse("--grpc", target), make_terminal(), timeout_s=1),
    ):
        pass
    assert caught.value.status == 2


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (grpc.StatusCode.UNAVAILABLE, "no gateway answers at h:1. Is `trunkline serve` running? (refused)"),
        (grpc.StatusCode.INTERNAL, "refused [INTERNAL]"),
    ],
)
def test_a_failure_without_a_reason(code: grpc.StatusCode, text: str) -> None:
    """A status that is not the gateway's own means that it was not reached, or is no gateway."""
    assert describe_failure(TrunklineError("refused", code=code), "h:1") == text
