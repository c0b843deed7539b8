# SPDX-License-Identifier: Apache-2.0
"""`trunkline keys`: keys for clients. A key is made here, shown once, and stored nowhere; the settings file holds its hash.

A key is `tk-`, 43 characters for 256 random bits, and 6 characters of checksum, by which a mistyped key is told from a wrong one without asking anybody.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import zlib
from collections.abc import Callable
from typing import Final

from trunkline_server.cli.terminal import CommandError, Terminal

KEY_PREFIX: Final = "tk-"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES: Final = 32
_RANDOM_DIGITS: Final = 43
_CHECK_DIGITS: Final = 6


def make_key(random_bytes: bytes) -> str:
    """The key of 32 random bytes from a cryptographic source."""
    if len(random_bytes) != _RANDOM_BYTES:
        raise ValueError(f"{_RANDOM_BYTES} random bytes are due, not {len(random_bytes)}")
    body = KEY_PREFIX + _in_digits(int.from_bytes(random_bytes, "big"), _RANDOM_DIGITS)
    return body + _checksum(body)


def is_mistyped(key: str) -> bool:
    """Tell whether a key has the form of ours and a wrong checksum. Keys of another form may be good: any text can be hashed into the file."""
    return key.startswith(KEY_PREFIX) and _checksum(key[:-_CHECK_DIGITS]) != key[-_CHECK_DIGITS:]


def hash_key(key: str) -> str:
    """What the settings file holds of a key: its SHA-256 in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `keys` to the command line."""
    parser = commands.add_parser(
        "keys", help="make keys for clients", description="Make keys for clients.", allow_abbrev=False
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser(
        "new",
        help="print a new key, and the lines with its hash for the settings file",
        description="Print a new key, once, and the lines with its hash for the settings file. The key itself is stored nowhere.",
        allow_abbrev=False,
    )
    new.add_argument("--name", default="client", help="whose key it is; stands in the log (default: %(default)s)")
    new.set_defaults(run=run_new)


def run_new(
    arguments: argparse.Namespace, terminal: Terminal, random_bytes: Callable[[int], bytes] = secrets.token_bytes
) -> int:
    """Print a key and its lines for the file."""
    name = arguments.name.strip()
    if not name or not name.isprintable():
        raise CommandError("a key's name is a printable text that is not empty", status=2)
    key = make_key(random_bytes(_RANDOM_BYTES))
    terminal.say(f"The key, for the client; it is shown this once:\n\n  {terminal.bold(key)}\n")
    terminal.say("Its hash, for the settings file of the gateway:\n")
    # A JSON string is a TOML string too.
    terminal.say(f'[[keys]]\nname = {json.dumps(name, ensure_ascii=False)}\nsha256 = "{hash_key(key)}"')
    return 0


def _checksum(body: str) -> str:
    return _in_digits(zlib.crc32(body.encode()), _CHECK_DIGITS)


def _in_digits(number: int, width: int) -> str:
    """A number in base 62, with zeros in front up to the width."""
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text.rjust(width, _DIGITS[0])
