# SPDX-License-Identifier: Apache-2.0
"""`trunkline check-config`: every fault of a settings file at once, before anything is started with it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from trunkline_server.cli.settings_file import load_settings
from trunkline_server.cli.terminal import Terminal
from trunkline_server.config.extras import describe_missing
from trunkline_server.config.read import make_catalog
from trunkline_server.config.settings import Settings
from trunkline_server.config.shipped import describe_keys

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check-config` to the command line."""
    parser = commands.add_parser(
        "check-config",
        help="find all faults of a settings file",
        description=(
            "Find all faults of a settings file, each with its line. Variables that the file names (${NAME}) must be set, as for serving. "
            "Without a file: what the environment alone amounts to. Exit status 0: no fault, 1: faults."
        ),
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the settings file (TOML; default: none)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Check the file and say what it amounts to."""
    settings = load_settings(arguments.file, terminal, {})
    terminal.say(f"{arguments.file or 'no file'}: ok\n{summarise(settings, terminal.environment)}")
    for sentence in describe_missing(make_catalog(settings)):
        terminal.say(f"note: {sentence}")
    return 0


def summarise(settings: Settings, environment: Mapping[str, str] = _NOTHING) -> str:
    """What the settings offer, by which keys, for which prices, where and to whom, in five lines. Of a key stands there who has it, and in which variable."""
    catalog = make_catalog(settings)
    offered = [endpoint for model in catalog.models.values() for endpoint in model.endpoints]
    endpoints = len(offered)
    listed = sum(endpoint.price_source is not None for endpoint in offered)
    unknown = sum(not endpoint.prices_pusd for endpoint in offered)
    sources = " and ".join(sorted({endpoint.price_source for endpoint in offered if endpoint.price_source}))
    if settings.keys:
        callers = f"{_count(len(settings.keys), 'key')}: " + ", ".join(key.name for key in settings.keys)
    else:
        callers = "no keys, and everybody who can connect" if settings.insecure else "no keys, and this machine alone"
    keys = ", ".join(describe_keys(settings, environment)) or "none"
    return (
        f"  offers   {_count(len(catalog.models), 'model')} at {_count(endpoints, 'endpoint')} of {_count(len(catalog.providers), 'provider')}\n"
        f"  keys     {keys}\n"
        f"  prices   {endpoints - listed - unknown} given, {listed} from shipped lists{f' ({sources})' if sources else ''}, {unknown} unknown\n"
        f"  listens  HTTP {settings.http.listen}, gRPC {settings.grpc.listen}\n"
        f"  serves   {callers}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
