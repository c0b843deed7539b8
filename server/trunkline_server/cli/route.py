# SPDX-License-Identifier: Apache-2.0
"""`trunkline route`: where a request would go, and why, without sending it to any provider."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.route_service_pb2 import RoutePlan
from trunkline_server.cli.gateway import add_gateway_flags, grpc_gateway, http_gateway
from trunkline_server.cli.settings_file import load_settings
from trunkline_server.cli.terminal import CommandError, Terminal
from trunkline_server.config.read import make_catalog, make_deployment
from trunkline_server.core.checks import check_request
from trunkline_server.core.errors import GatewayError
from trunkline_server.jsonshape import Codec, ShapeFaults, parse_json
from trunkline_server.routing.explain import explain_plan
from trunkline_server.routing.plan import Surroundings, make_plan

_STDIN: Final = "-"
_TIMEOUT_S: Final = 30.0
_PLACE: Final = "#"
_COST: Final = "EXPECTED"
_RIGHT_ALIGNED: Final = frozenset({_PLACE, _COST})
# Heading of a column -> key of an endpoint in the API's JSON.
_PLANNED: Final = (
    ("PROVIDER", "provider_name"), ("MODEL", "model"), ("ENDPOINT", "tag"), (_COST, "expected_cost"), ("STANDS", "standing"),
    ("WHY", "reason"),
)  # fmt: skip
_REJECTED: Final = (
    ("PROVIDER", "provider_name"), ("MODEL", "model"), ("ENDPOINT", "tag"), ("EXCLUDED BY", "excluded_by"), ("WHY", "reason"),
)  # fmt: skip
_EXAMPLES: Final = """\
examples:
  trunkline route --explain request.json
  trunkline route --explain request.json --config gateway.toml
  echo '{"model": "sim/echo", "messages": [{"role": "user", "content": "Hi"}]}' | trunkline route --explain - --http http://127.0.0.1:8080

The file holds the body of a chat completion. Expected costs are in USD. Exit status 0: somebody would serve it, 1: nobody, or it is refused.
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `route` to the command line."""
    parser = commands.add_parser(
        "route",
        help="explain where a request would go",
        description="Explain where a request would go, in which order and why, without sending it to any provider.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--explain", metavar="FILE", required=True, help='the request in JSON; "-" reads it from standard input'
    )
    ways = add_gateway_flags(parser)
    ways.add_argument(
        "--config",
        metavar="FILE",
        help="plan from a settings file instead of asking a gateway; of health nothing is known then",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the plan. Raises CommandError where nobody would serve the request."""
    plan = _find_plan(arguments, terminal)
    terminal.say(terminal.clean(_text(plan, "summary")))
    tokens = f"{_text(plan, 'estimated_prompt_tokens')} prompt tokens and {_text(plan, 'assumed_completion_tokens')}"
    terminal.say(terminal.dim(f"Costs are reckoned with {tokens} of the answer. Strategy: {_text(plan, 'strategy')}."))
    planned = _rows(plan, "endpoints", _PLANNED)
    numbered = [(_PLACE if not place else str(place), *row) for place, row in enumerate(planned)]
    _say_table(numbered, terminal)
    _say_table(_rows(plan, "rejected", _REJECTED), terminal)
    error = plan.get("error")
    if isinstance(error, dict):
        raise CommandError(f"nobody would serve it: {_text(error, 'message')} [HTTP {_text(error, 'code')}]")
    return 0


def read_request(path: str, terminal: Terminal) -> dict[str, Any]:
    """The JSON object in a file ("-": standard input). Raises CommandError, which says where in the file it is no JSON."""
    name = "standard input" if path == _STDIN else path
    try:
        text = terminal.inp.read() if path == _STDIN else Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{name} is not a text in UTF-8") from error
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}") from error
    try:
        request = parse_json(text.encode("utf-8", "surrogatepass"))
    except ShapeFaults as faults:
        raise CommandError(f"{name} is not a request in JSON: {_place_of_fault(text) or faults}") from faults
    if not isinstance(request, dict):
        raise CommandError(f"{name} is not a request in JSON: an object is due")
    return request


def format_cost(usd: object) -> str:
    """A number of USD such as "$0.000514"; "?" for what is no number."""
    try:
        cost = Decimal(str(usd))
    except InvalidOperation:
        return "?"
    return f"${cost.normalize():f}" if cost.is_finite() else "?"


def _place_of_fault(text: str) -> str:
    """Line and column of what is no JSON; empty where the standard library takes the text, whose rules are less strict."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except RecursionError:
        pass
    return ""


def _find_plan(arguments: argparse.Namespace, terminal: Terminal) -> Mapping[str, Any]:
    """The plan in the API's JSON, from wherever the command line says."""
    request = read_request(arguments.explain, terminal)
    if arguments.http:
        answer = http_gateway(arguments, terminal, timeout_s=_TIMEOUT_S).post("/route/explain", request)
        plan = answer.get("data")
        return plan if isinstance(plan, dict) else {}
    codec = Codec.compile([ChatCompletionRequest.DESCRIPTOR, RoutePlan.DESCRIPTOR])
    try:
        message = codec.decode(ChatCompletionRequest, request)
    except ShapeFaults as faults:
        raise CommandError(_join("the request is refused:", map(str, faults.faults))) from faults
    if arguments.config:
        return codec.encode(_plan_offline(message, arguments.config, terminal))
    with grpc_gateway(arguments, terminal, timeout_s=_TIMEOUT_S) as client:
        return codec.encode(client.explain(message))


def _plan_offline(request: ChatCompletionRequest, path: str, terminal: Terminal) -> RoutePlan:
    settings = load_settings(path, terminal, {})
    around = Surroundings(draw=random.SystemRandom().random, deployment=make_deployment(settings.routing))
    try:
        check_request(request)
        return explain_plan(make_plan(request, make_catalog(settings), around), request)
    except GatewayError as error:
        raise CommandError(f"the request is refused: {error.message}") from error


def _join(title: str, lines: Iterable[str]) -> str:
    return "\n  ".join([title, *lines])


def _rows(plan: Mapping[str, Any], key: str, columns: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The heading and a row for each endpoint; nothing without endpoints."""
    listed = plan.get(key)
    endpoints = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    rows = [
        tuple(format_cost(item.get(name)) if heading == _COST else _text(item, name) for heading, name in columns)
        for item in endpoints
    ]
    return [tuple(heading for heading, _ in columns), *rows] if rows else []


def _say_table(rows: Sequence[tuple[str, ...]], terminal: Terminal) -> None:
    """An empty line, then the rows as aligned columns; nothing without rows."""
    if not rows:
        return
    heading = rows[0]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heading))]
    lines = [
        "  ".join(
            cell.rjust(width) if title in _RIGHT_ALIGNED else cell.ljust(width)
            for cell, width, title in zip(row, widths, heading, strict=True)
        ).rstrip()
        for row in rows
    ]
    terminal.say("\n".join(["", terminal.bold(lines[0]), *map(terminal.clean, lines[1:])]))


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    return "" if value is None else str(value)
