# SPDX-License-Identifier: Apache-2.0
"""Checks of how a provider is reached: keys that need each other, and a proxy that would read what it carries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from trunkline_server.catalog.load import list_rows, split_url
from trunkline_server.catalog.places import REGION
from trunkline_server.config.faults import Fault
from trunkline_server.config.sources import Written
from trunkline_server.dialects.registry import OVER_GRPC

_AWS_PAIR: Final = ("aws_access_key_id", "aws_secret_access_key")
_AWS_HOST: Final = re.compile(r"[a-z0-9-]+\.[a-z0-9-{}]+\.(amazonaws\.com(\.cn)?|api\.aws)")
_CREDENTIALS: Final = "proxy_credentials"
_OF_HTTP: Final = frozenset({"ca_file", "proxy"})


def check_ways(written: Written) -> Iterator[Fault]:
    """The faults of the providers in the file."""
    for path, row in list_rows(written.tree, "providers"):
        for key, message in _find(row):
            yield written.fault_at((*path, key) if key in row else path, message)


def _find(row: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The key that is at fault, and what is wrong."""
    speaks_messages, is_grpc = str(row.get("dialect")) in OVER_GRPC, row.get("transport") == "grpc"
    if speaks_messages and not is_grpc:
        yield "dialect", 'goes over gRPC alone: write `transport = "grpc"`'
    if is_grpc and not speaks_messages:
        yield "transport", f"carries the dialects {', '.join(sorted(OVER_GRPC))} alone: write one of them as `dialect`"
    if is_grpc:
        for key in _OF_HTTP & row.keys():
            yield key, "is for providers over HTTP: connections of gRPC go straight, and trust what the system does"
    given = [key for key in _AWS_PAIR if key in row]
    if len(given) == 1:
        other = next(key for key in _AWS_PAIR if key not in row)
        yield given[0], f"`{other}` belongs to it: write both, or neither"
    parts = split_url(row.get("base_url"))
    if "proxy" in row and parts is not None and parts.scheme == "http":
        yield "proxy", "a provider without TLS is not reached through a proxy, which would read keys and prompts"
    credentials = row.get(_CREDENTIALS)
    if "proxy" not in row and credentials is not None:
        yield _CREDENTIALS, "there is no `proxy` to sign in at"
    elif isinstance(credentials, str) and ":" not in credentials:
        yield _CREDENTIALS, "a proxy's credentials are written `user:password`"
    if (
        row.get("auth") == "aws"
        and "api_key" not in row
        and parts is not None
        and not _tells_region(row, parts.hostname)
    ):
        yield "auth", 'requests to AWS are signed for a region: write `values = { region = "..." }`'


def _tells_region(row: Mapping[str, object], host: str | None) -> bool:
    tables = (row.get(key) for key in ("values", "value_variables"))
    return any(isinstance(table, Mapping) and REGION in table for table in tables) or (
        _AWS_HOST.fullmatch(host or "") is not None
    )
