# SPDX-License-Identifier: Apache-2.0
"""`trunkline serve`: run the gateway. Its flags are the settings that have one value each."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

from trunkline_server.cli.settings_file import load_settings
from trunkline_server.cli.supervisor import become_supervisor
from trunkline_server.cli.terminal import CommandError, Terminal
from trunkline_server.config.read import make_catalog
from trunkline_server.config.scalars import Scalar, find_scalars, strip
from trunkline_server.config.settings import Settings
from trunkline_server.config.shipped import describe_keys
from trunkline_server.config.sources import CONFIG_VARIABLE
from trunkline_server.reload import SettingsSource
from trunkline_server.workers.orders import READY, Seat

_EXAMPLES: Final = """\
examples:
  trunkline serve                                        the simulator alone, on 127.0.0.1
  OPENAI_API_KEY=... trunkline serve                     OpenAI's models beside it (docs/providers.md)
  trunkline serve --config gateway.toml                  what the file says
  trunkline serve --http 127.0.0.1:9000 --grpc 127.0.0.1:9001 --log-format json
  trunkline serve --workers 4                            four processes on the same ports, and a supervisor
  TRUNKLINE_HTTP__LISTEN=127.0.0.1:9000 trunkline serve  a variable instead of a flag

A flag wins over its variable (TRUNKLINE_..., shown in docs/configuration.md), which wins over the file. Lists (keys, providers, models) stand in the file.
A change of the file's providers, models and [routing] is taken over while the gateway runs, and on SIGHUP; other changes wait for a restart.

With --workers, SIGHUP reads the file again: each worker is replaced by a new one, one after the other, and no call fails by it. Addresses and
the number of workers stay as they were. A worker that dies is replaced; one that dies again and again ends the service with status 1. What is kept for
each worker alone: docs/workers.md.
"""
_UNSPECIFIED_HOSTS: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared with, not bound to


class Listening(Protocol):
    """Where the gateway listens, as clients write it."""

    @property
    def http_url(self) -> str:
        """Such as `http://127.0.0.1:8080`."""

    @property
    def grpc_target(self) -> str:
        """Such as `127.0.0.1:50051`."""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve` to the command line, with a flag for each setting."""
    parser = commands.add_parser(
        "serve",
        help="run the gateway",
        usage="trunkline serve [--config FILE] [--http HOST:PORT] [--grpc HOST:PORT] [--insecure] [--SETTING VALUE ...]",
        description="Run the gateway. Without a file it offers the built-in simulator and the models of providers whose key is in the environment, "
        "to this machine alone.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config", metavar="FILE", help=f"the settings file (TOML; default: ${CONFIG_VARIABLE}, else none)"
    )
    groups = {"": parser.add_argument_group("the gateway")}
    for scalar in find_scalars():
        section = scalar.path[0] if len(scalar.path) > 1 else ""
        if section not in groups:
            title = strip(Settings.model_fields[section].annotation).__doc__
            groups[section] = parser.add_argument_group(title.rstrip("."))
        _add_flag(groups[section], scalar)
    # For the supervisor alone, which says by it which worker a process is.
    parser.add_argument("--seat", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Serve until a signal stops it."""
    path = arguments.config or terminal.environment.get(CONFIG_VARIABLE) or None
    given = vars(arguments)
    flags = {scalar.flag: value for scalar in find_scalars() if (value := given.get(scalar.flag)) is not None}
    settings = load_settings(path, terminal, flags)
    source = None if path is None else SettingsSource(path=path, environment=dict(terminal.environment), flags=flags)
    if arguments.seat is not None:
        return _serve_as_worker(settings, Seat.read(arguments.seat), source)
    if settings.workers is not None:
        return become_supervisor(settings, path, flags, _banner_of(settings, terminal))
    # The app brings every server library along; the other commands start faster without.
    from trunkline_server import app  # noqa: PLC0415 - see above

    def announce(bound: Listening) -> None:
        terminal.say(_banner_of(settings, terminal)(bound.http_url, bound.grpc_target))

    try:
        return _run_loop(app.serve(settings, announce, source=source))
    except OSError as error:
        raise CommandError(f"cannot listen: {error}. Another address: --http HOST:PORT, --grpc HOST:PORT.") from error


def _serve_as_worker(settings: Settings, seat: Seat, source: SettingsSource | None) -> int:
    """Serve as one of several. The banner is the supervisor's, which is told when this worker is ready."""
    from trunkline_server import app  # noqa: PLC0415 - as above

    control = socket.socket(fileno=seat.control_fd)

    def announce(_bound: Listening) -> None:
        # That the supervisor has gone is told by the end of its side, which whoever serves watches.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            control.sendall(READY)

    try:
        return _run_loop(app.serve(settings, announce, seat=seat, source=source))
    except OSError as error:
        raise CommandError(f"worker {seat.number} cannot serve: {error}") from error
    finally:
        control.close()


def _banner_of(settings: Settings, terminal: Terminal) -> Callable[[str, str], str]:
    """What makes the banner of the two addresses."""
    program = find_program(sys.argv[0])
    keys = describe_keys(settings, terminal.environment)
    return lambda http_url, grpc_target: format_banner(settings, http_url, grpc_target, program=program, keys=keys)


def format_banner(
    settings: Settings, http_url: str, grpc_target: str, *, program: str = "trunkline", keys: Sequence[str] = ()
) -> str:
    """What to tell the person who started the gateway: where it is, what it offers, how to try it.

    `program` is what to type for this program; `keys` names the providers with a key, each with the variable that holds it.
    """
    catalog = make_catalog(settings)
    model = catalog.default_model or next(iter(catalog.models), "author/name")
    slugs = list(catalog.models)
    offered = ", ".join(slugs[:4]) + (f" and {len(slugs) - 4} more" if len(slugs) > 4 else "") if slugs else "no model"
    key_header = ' \\\n    -H "authorization: Bearer $TRUNKLINE_API_KEY"' if settings.keys else ""
    providers = f"\n  Keys  {', '.join(keys)}" if keys else ""
    url, target = _reachable(http_url), _reachable(grpc_target)
    chat = f"{program} chat" + ("" if target == "127.0.0.1:50051" else f" --grpc {target}")
    return f"""\
Trunkline serves {offered}.
  HTTP  {http_url}/v1 and /api/v1 (OpenAI and OpenRouter JSON)
  gRPC  {grpc_target} (trunkline.v1){providers}

Try it:
  curl -N {url}/v1/chat/completions -H 'content-type: application/json'{key_header} \\
    -d '{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "Hello, Trunkline"}}]}}'
  {chat} --model {model} "Hello, Trunkline"

Ctrl-C stops it."""


def find_program(started_as: str) -> str:
    """What to type for this program: its name where the shell finds it, else the path it was started by."""
    path = Path(started_as)
    if path.name != "trunkline" or shutil.which(path.name) is not None:
        return "trunkline"
    return str(path)


def _reachable(address: str) -> str:
    """An address that a client on this machine can use, where the gateway listens on all of them."""
    for unspecified, loopback in _UNSPECIFIED_HOSTS.items():
        address = address.replace(f"//{unspecified}:", f"//{loopback}:")
        if address.startswith(f"{unspecified}:"):
            address = loopback + address.removeprefix(unspecified)
    return address


def _add_flag(group: argparse._ArgumentGroup, scalar: Scalar) -> None:
    default = "" if scalar.default is None else f" (default: {scalar.default.strip(chr(34))})"
    text = (scalar.sentence + default).replace("%", "%%").replace("`", "")
    if scalar.kind == "switch":
        group.add_argument(
            scalar.flag, dest=scalar.flag, action=argparse.BooleanOptionalAction, default=None, help=text
        )
        return
    metavar = {"whole number": "N", "number": "N", "choice": "|".join(scalar.choices)}.get(scalar.kind, "TEXT")
    group.add_argument(
        scalar.flag, dest=scalar.flag, metavar="HOST:PORT" if scalar.path[-1] == "listen" else metavar, help=text
    )


def _run_loop(serving: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where it is installed, else on asyncio's own loop."""
    runner: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run
    if find_spec("uvloop") is not None:
        import uvloop  # noqa: PLC0415 - Windows has none

        runner = uvloop.run
    return runner(serving)
