# SPDX-License-Identifier: Apache-2.0
"""`trunkline models`: what a gateway offers, as a table, and with `--health` how its endpoints are."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trunkline.v1.model_pb2 import Model
from trunkline_server.catalog.directory import render_model
from trunkline_server.cli import endpoints
from trunkline_server.cli.gateway import add_gateway_flags, grpc_gateway, http_gateway
from trunkline_server.cli.settings_file import load_settings
from trunkline_server.cli.terminal import CommandError, Terminal
from trunkline_server.config.read import make_catalog
from trunkline_server.config.shipped import describe_keys

Row = tuple[str, ...]

_HEADING: Final[Row] = ("MODEL", "CONTEXT", "PROMPT", "ANSWER", "READS -> WRITES")
_RIGHT_ALIGNED: Final = frozenset({1, 2, 3})
_PUSD_PER_USD: Final = 10**12
_MILLION: Final = 10**6
_TIMEOUT_S: Final = 30.0


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `models` to the command line."""
    parser = commands.add_parser(
        "models",
        help="list what a gateway offers",
        description="List the models of a running gateway, or of a settings file. Prices are in USD per million tokens. "
        "With --health, list how the endpoints of a running gateway did in the last five minutes: their standing, the share of calls that succeeded, "
        "the median time to the first token and the median of tokens a second after it.",
        allow_abbrev=False,
    )
    ways = add_gateway_flags(parser)
    ways.add_argument("--config", metavar="FILE", help="read a settings file instead of asking a gateway")
    parser.add_argument("--search", "-q", metavar="TEXT", default="", help="only models with this text in slug or name")
    parser.add_argument("--health", action="store_true", help="list the endpoints and how they are, not prices")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the table; without any model, a sentence on standard error."""
    wanted = arguments.search.casefold()

    def matches(slug: str, name: str) -> bool:
        return wanted in slug.casefold() or wanted in name.casefold()

    heading, right_aligned, things = _HEADING, _RIGHT_ALIGNED, "models"
    if arguments.health:
        if arguments.config:
            raise CommandError("--health is of a running gateway: a file knows nothing of it.", status=2)
        heading, right_aligned, things = endpoints.HEADING, endpoints.RIGHT_ALIGNED, "endpoints"
        rows = endpoints.find_endpoint_rows(arguments, terminal, matches)
    else:
        rows = [row for row, name in _find_rows(arguments, terminal) if matches(row[0], name)]
    if not rows:
        terminal.complain("No model matches." if wanted else f"There are no {things}.")
        return 0
    lines = format_table([heading, *rows], right_aligned)
    terminal.say("\n".join([terminal.bold(lines[0]), *lines[1:]]))
    return 0


def format_table(rows: Sequence[Row], right_aligned: Collection[int]) -> list[str]:
    """The rows as lines of aligned columns; `right_aligned` are the places of those with numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in right_aligned else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _find_rows(arguments: argparse.Namespace, terminal: Terminal) -> list[tuple[Row, str]]:
    """A row for each model, with the model's name for people."""
    if arguments.http:
        answer = http_gateway(arguments, terminal, timeout_s=_TIMEOUT_S).get("/models")
        data = answer.get("data")
        return (
            [(_row_of_json(item), str(item.get("name", ""))) for item in data if isinstance(item, dict)]
            if isinstance(data, list)
            else []
        )
    if arguments.config:
        settings = load_settings(arguments.config, terminal, {})
        if keys := describe_keys(settings, terminal.environment):
            terminal.complain(f"Keys: {', '.join(keys)}")
        catalog = make_catalog(settings)
        models = [render_model(model) for model in catalog.models.values()]
    else:
        with grpc_gateway(arguments, terminal, timeout_s=_TIMEOUT_S) as client:
            models = client.models()
    return [(_row_of_message(model), model.name) for model in models]


def _row_of_message(model: Model) -> Row:
    return (
        model.id,
        format_context(model.context_length if model.HasField("context_length") else None),
        format_price(Decimal(model.pricing.prompt_pusd) / _PUSD_PER_USD),
        format_price(Decimal(model.pricing.completion_pusd) / _PUSD_PER_USD),
        model.architecture.modality,
    )


def _row_of_json(model: dict[str, Any]) -> Row:
    pricing, architecture = _object(model, "pricing"), _object(model, "architecture")
    context = model.get("context_length")
    return (
        str(model.get("id", "")),
        format_context(context if isinstance(context, int) else None),
        format_price(_read_price(pricing.get("prompt"))),
        format_price(_read_price(pricing.get("completion"))),
        str(architecture.get("modality") or ""),
    )


def _object(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _read_price(value: object) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def format_context(tokens: int | None) -> str:
    """A number of tokens with thousands set apart; "-" for an unknown one."""
    return "-" if not tokens else f"{tokens:,}"


def format_price(usd_per_token: Decimal | None) -> str:
    """A price per token as one per million tokens, such as "$2.50"; "free" for 0, "-" for an unknown one."""
    if usd_per_token is None or not usd_per_token.is_finite():
        return "-"
    price = usd_per_token * _MILLION
    if price == 0:
        return "free"
    cents = price.quantize(Decimal("0.01"))
    return f"${cents}" if cents == price else f"${price.normalize():f}"
