# SPDX-License-Identifier: Apache-2.0
"""Checks of how a provider is reached."""

from typing import Any

import pytest

from trunkline_server.config.sources import Written
from trunkline_server.config.ways import check_ways

HTTPS, HTTP = {"base_url": "https://api.acme.example/v1"}, {"base_url": "http://127.0.0.1:1/v1"}
BEDROCK = {"base_url": "https://bedrock-runtime.eu-west-1.amazonaws.com"}
PLACED = {"base_url": "https://bedrock-runtime.{region}.amazonaws.com"}
PROXY = {"proxy": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (HTTPS, None),
        ({**HTTPS, "aws_access_key_id": "a", "aws_secret_access_key": "b"}, None),
        ({**HTTPS, "aws_access_key_id": "a"}, "`aws_secret_access_key` belongs to it"),
        ({**HTTPS, "aws_secret_access_key": "b"}, "`aws_access_key_id` belongs to it"),
        ({**HTTPS, **PROXY}, None),
        ({**HTTP, **PROXY}, "without TLS"),
        (PROXY, None),
        ({**HTTPS, **PROXY, "proxy_credentials": "ann:pw"}, None),
        ({**HTTPS, **PROXY, "proxy_credentials": "canary"}, "`user:password`"),
        ({**HTTPS, "proxy_credentials": "ann:pw"}, "no `proxy`"),
        ({**HTTPS, "auth": "aws"}, "signed for a region"),
        ({**HTTPS, "auth": "aws", "api_key": "k"}, None),
        ({**HTTPS, "auth": "aws", "values": {"region": "eu-west-1"}}, None),
        ({**HTTPS, "auth": "aws", "value_variables": {"region": "AWS_REGION"}}, None),
        ({**BEDROCK, "auth": "aws"}, None),
        ({**PLACED, "auth": "aws", "values": {"region": "eu-west-1"}}, None),
        ({"auth": "aws"}, None),
        ({"auth": 5, "proxy_credentials": 7, "proxy": 8, "values": 9, "dialect": [], "transport": []}, None),
        ({"dialect": "xai", "transport": "grpc"}, None),
        ({"dialect": "xai", "transport": "grpc", "ca_file": "ca.pem"}, "for providers over HTTP"),
        ({"dialect": "xai", "transport": "grpc", **PROXY}, "for providers over HTTP"),
        ({"dialect": "trunkline"}, "goes over gRPC alone"),
        ({"dialect": "xai", "transport": "http"}, "goes over gRPC alone"),
        ({"transport": "grpc"}, "carries the dialects trunkline, xai alone"),
        ({"dialect": "anthropic", "transport": "grpc"}, "carries the dialects trunkline, xai alone"),
    ],
)
def test_faults(row: dict[str, Any], fault: str | None) -> None:
    """What cannot be reached is a fault of the file; a secret is not repeated."""
    told = [found.message for found in check_ways(Written(tree={"providers": [{"slug": "acme", **row}]}))]
    assert [fault is not None and fault in message for message in told] == ([] if fault is None else [True])
    assert "canary" not in "".join(told)
