# SPDX-License-Identifier: Apache-2.0
"""Which running gateway a command talks to: the flags for it, the key, and failures in words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trunkline import Client, TrunklineError
from trunkline_server.cli.keys import is_mistyped
from trunkline_server.cli.talk import HttpGateway
from trunkline_server.cli.terminal import CommandError, Terminal
from trunkline_server.config.sources import KEY_VARIABLE

_DEFAULT_TARGET: Final = "127.0.0.1:50051"


def add_gateway_flags(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Add the flags that name a gateway and the key for it; returns the group of the ways to it."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--grpc",
        metavar="HOST:PORT",
        help=f"the gateway's gRPC address (default: {_DEFAULT_TARGET}); https://HOST:PORT for TLS",
    )
    group.add_argument("--http", metavar="URL", help="talk HTTP instead, to the gateway at this URL")
    parser.add_argument(
        "--key", help=f"your key (default: the variable {KEY_VARIABLE}, where others on this machine cannot see it)"
    )
    return group


def find_key(arguments: argparse.Namespace, terminal: Terminal) -> str | None:
    """The caller's key, None where there is none. Raises CommandError for a key with a wrong checksum."""
    key: str | None = arguments.key or terminal.environment.get(KEY_VARIABLE) or None
    if key is not None and is_mistyped(key):
        raise CommandError(
            "the key is mistyped: its checksum is wrong. Copy it whole, from `tk-` to its end.", status=2
        )
    return key


def http_gateway(arguments: argparse.Namespace, terminal: Terminal, *, timeout_s: float) -> HttpGateway:
    """The gateway that `--http` names."""
    return HttpGateway(url=arguments.http, api_key=find_key(arguments, terminal), timeout_s=timeout_s)


@contextmanager
def grpc_gateway(arguments: argparse.Namespace, terminal: Terminal, *, timeout_s: float) -> Iterator[Client]:
    """A client for the gateway that `--grpc` names. What fails inside raises CommandError."""
    target = arguments.grpc or _DEFAULT_TARGET
    try:
        with Client(target, api_key=find_key(arguments, terminal), timeout_s=timeout_s) as client:
            yield client
    except TrunklineError as error:
        raise CommandError(describe_failure(error, target)) from error
    except ValueError as error:
        raise CommandError(str(error), status=2) from error


def describe_failure(error: TrunklineError, target: str) -> str:
    """A failure over gRPC in words. Without a reason of the gateway's own, nobody answered there."""
    if not error.reason and error.code.name == "UNAVAILABLE":
        return f"no gateway answers at {target}. Is `trunkline serve` running? ({error.message})"
    hint = f" Say it with --key, or in the variable {KEY_VARIABLE}." if error.reason == "AUTHENTICATION" else ""
    request = f", request {error.request_id}" if error.request_id else ""
    return f"{error.message}{hint} [{error.reason or error.code.name}{request}]"
