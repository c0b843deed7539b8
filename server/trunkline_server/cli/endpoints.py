# SPDX-License-Identifier: Apache-2.0
"""How the endpoints of a running gateway are, as rows of a table: the part of `trunkline models --health` that asks and reads."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal
from urllib.parse import quote

import grpc

from trunkline.connection import plan_metadata
from trunkline.errors import error_from_call
from trunkline.v1.model_pb2 import Endpoint, PercentileStats
from trunkline.v1.model_service_pb2 import ListModelEndpointsRequest, ListModelEndpointsResponse
from trunkline.v1.model_service_pb2_grpc import ModelServiceStub
from trunkline_server.cli.gateway import find_key, grpc_gateway, http_gateway
from trunkline_server.cli.terminal import Terminal
from trunkline_server.core.health import EndpointStatus

Matches = Callable[[str, str], bool]
"""Whether a model is wanted, by its slug and its name for people."""
Row = tuple[str, ...]

HEADING: Final[Row] = ("MODEL", "ENDPOINT", "STANDING", "UPTIME", "FIRST TOKEN", "TOKENS/S")
RIGHT_ALIGNED: Final = frozenset({3, 4, 5})
_UNKNOWN: Final = "-"
_MS_PER_S: Final = 1000
_TIMEOUT_S: Final = 30.0


def find_endpoint_rows(arguments: argparse.Namespace, terminal: Terminal, matches: Matches) -> list[Row]:
    """A row for each endpoint of the wanted models, from the gateway that the flags name. Raises CommandError."""
    if arguments.http:
        return list(_ask_http(arguments, terminal, matches))
    with grpc_gateway(arguments, terminal, timeout_s=_TIMEOUT_S) as client:
        stub = ModelServiceStub(client.channel)
        metadata = plan_metadata(find_key(arguments, terminal), {})
        return [
            row
            for model in client.models()
            if matches(model.id, model.name)
            for row in _rows_of_answer(_ask_grpc(stub, metadata, model.id))
        ]


def _ask_grpc(stub: ModelServiceStub, metadata: Any, slug: str) -> ListModelEndpointsResponse:
    author, _, name = slug.partition("/")
    request = ListModelEndpointsRequest(author=author, slug=name)
    try:
        return stub.ListModelEndpoints(request, timeout=_TIMEOUT_S, metadata=metadata)
    except grpc.RpcError as error:
        raise error_from_call(error) from error


def _rows_of_answer(answer: ListModelEndpointsResponse) -> Iterator[Row]:
    for endpoint in answer.data.endpoints:
        yield (
            answer.data.id,
            endpoint.tag,
            format_status(endpoint.status if endpoint.HasField("status") else None),
            format_uptime(endpoint.uptime_last_5m if endpoint.HasField("uptime_last_5m") else None),
            format_first_token(_median(endpoint, "latency_last_30m")),
            format_throughput(_median(endpoint, "throughput_last_30m")),
        )


def _median(endpoint: Endpoint, name: Literal["latency_last_30m", "throughput_last_30m"]) -> float | None:
    percentiles: PercentileStats = getattr(endpoint, name)
    return percentiles.p50 if endpoint.HasField(name) else None


def _ask_http(arguments: argparse.Namespace, terminal: Terminal, matches: Matches) -> Iterator[Row]:
    gateway = http_gateway(arguments, terminal, timeout_s=_TIMEOUT_S)
    for model in _objects(gateway.get("/models").get("data")):
        slug = str(model.get("id", ""))
        if not matches(slug, str(model.get("name", ""))):
            continue
        data = gateway.get(f"/models/{quote(slug, safe='/:@~')}/endpoints").get("data")
        for endpoint in _objects(data.get("endpoints") if isinstance(data, dict) else None):
            yield (
                slug,
                str(endpoint.get("tag") or endpoint.get("provider_name") or _UNKNOWN),
                format_status(_number(endpoint.get("status"))),
                format_uptime(_number(endpoint.get("uptime_last_5m"))),
                format_first_token(_json_median(endpoint.get("latency_last_30m"))),
                format_throughput(_json_median(endpoint.get("throughput_last_30m"))),
            )


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _json_median(percentiles: object) -> float | None:
    return _number(percentiles.get("p50")) if isinstance(percentiles, dict) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def format_status(status: float | None) -> str:
    """The word for a status, the number itself for one without a word."""
    words = {known.value: known.name.lower() for known in EndpointStatus}
    return _UNKNOWN if status is None else words.get(int(status), f"{status:g}")


def format_uptime(percent: float | None) -> str:
    """A share of successes, such as "99.5%". Rounded down: 100% is said of no endpoint that has failed."""
    return _UNKNOWN if percent is None else f"{int(percent * 10) / 10:g}%"


def format_first_token(latency_ms: float | None) -> str:
    """A time such as "420 ms" or "1.2 s"."""
    if latency_ms is None:
        return _UNKNOWN
    return f"{latency_ms:.0f} ms" if latency_ms < _MS_PER_S else f"{latency_ms / _MS_PER_S:.1f} s"


def format_throughput(tokens_per_s: float | None) -> str:
    """Tokens a second, such as "61.2"."""
    return _UNKNOWN if tokens_per_s is None else f"{tokens_per_s:.1f}"
