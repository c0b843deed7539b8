# SPDX-License-Identifier: Apache-2.0
"""The program `trunkline`: its commands, their help, and how failures end it.

Exit statuses: 0 done, 1 failed (a sentence on standard error says why), 2 not understood, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from trunkline_server.cli import chat, check_config, keys, models, route, serve
from trunkline_server.cli.terminal import CommandError, Terminal

_STOPPED: Final = 130
_COMMANDS: Final = (serve, chat, models, route, keys, check_config)
_DESCRIPTION: Final = """\
Trunkline is an LLM gateway: gRPC and OpenAI's JSON in front, many providers behind.
"""
_EXAMPLES: Final = """\
to begin:
  trunkline serve                                  serve the built-in simulator on this machine, no key, no file
  trunkline chat "Hello"                           stream an answer from it, over gRPC
  trunkline chat --http http://127.0.0.1:8080 -m sim/reasoner "Why?"     the same over HTTP

to go on:
  trunkline keys new --name laptop                 make a client's key
  trunkline check-config gateway.toml              all faults of a settings file, each with its line
  trunkline serve --config gateway.toml            serve what the file says
  trunkline models                                 what a running gateway offers, with prices
  trunkline route --explain request.json           where a request would go, and why

`trunkline COMMAND --help` explains each command.
"""


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run a command line (None: the program's own) with the environment's variables (None: the process's). Returns the exit status."""
    terminal = Terminal(environment=os.environ if environment is None else environment)
    try:
        arguments = make_parser().parse_args(argv)
    except SystemExit as stop:
        # argparse has written the help, the version or what is wrong.
        return stop.code if isinstance(stop.code, int) else 1
    try:
        return int(arguments.run(arguments, terminal))
    except CommandError as error:
        terminal.complain(f"trunkline: {error}")
        return error.status
    except KeyboardInterrupt:
        terminal.complain("")
        return _STOPPED
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`trunkline models | head`). Python would complain while it flushes at exit.
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 0


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="trunkline",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"trunkline {read_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_command(commands)
    return parser


def read_version() -> str:
    """The version of the installed package."""
    try:
        return version("trunkline")
    except PackageNotFoundError:
        return "(not installed)"
