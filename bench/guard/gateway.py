# SPDX-License-Identifier: Apache-2.0
"""The process whose instructions are counted: a whole gateway that takes orders on its standard input.

    python -m bench.guard.gateway SWITCH PROVIDER_PORT

SWITCH is the library made from switch.c. Once the gateway serves, it writes one line of JSON with its ports; after that each order is a line, and
each is answered by a line:

    count          from here on instructions are counted (the first order; what was before ran without)
    zero           the counts begin at zero
    write NAME     the counts are written to callgrind's file, under this name
    run N WORK     repeats a work of works.py
    stop           the gateway drains and ends

All of this runs on the gateway's own event loop, between its calls.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Final

import uvloop

from bench.guard.payload import KEY, MODEL
from bench.guard.works import make_works
from trunkline_server import app
from trunkline_server.config.settings import Settings

_STDIN: Final = 0


class Orders:
    """Carries out the orders that come on standard input."""

    def __init__(self, switch: ctypes.CDLL, works: Mapping[str, Callable[[], object]]) -> None:
        self._switch = switch
        self._works = works
        self._waiting = b""

    def listen(self, bound: app.Bound) -> None:
        """Says where the gateway listens, and listens itself."""
        asyncio.get_running_loop().add_reader(_STDIN, self._read)
        _say(json.dumps({"http_url": bound.http_url, "grpc_target": bound.grpc_target}))

    def _read(self) -> None:
        piece = os.read(_STDIN, 4096)
        if not piece:  # whoever gave the orders is gone
            asyncio.get_running_loop().remove_reader(_STDIN)
            signal.raise_signal(signal.SIGTERM)
        *orders, self._waiting = (self._waiting + piece).split(b"\n")
        for order in orders:
            verb, _, rest = order.decode().partition(" ")
            self._obey(verb, rest)
            _say("done")

    def _obey(self, verb: str, rest: str) -> None:
        match verb:
            case "count":
                self._switch.start_counting()
            case "zero":
                self._switch.set_to_zero()
            case "write":
                self._switch.write_counts(rest.encode())
            case "run":
                times, _, work = rest.partition(" ")
                _repeat(int(times), self._works[work])
            case "stop":
                signal.raise_signal(signal.SIGTERM)
            case _:
                raise ValueError(f"no such order: {verb}")


def make_settings(provider_port: int) -> Settings:
    """A gateway as people run it: keys, a provider with a key, prices."""
    prices = {"prompt": "0.00000015", "completion": "0.0000006"}
    endpoint = {"provider": "acme", "upstream_model": "upstream-one", "prices": prices}
    return Settings.model_validate(
        {
            "http": {"listen": "127.0.0.1:0"},
            "grpc": {"listen": "127.0.0.1:0"},
            "drain": {"grace_s": 1.0},
            "keys": [{"name": "guard", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}],
            "providers": [
                {"slug": "acme", "base_url": f"http://127.0.0.1:{provider_port}/v1", "api_key": "key-at-acme"}
            ],
            "models": [{"slug": MODEL, "endpoints": [endpoint]}],
        }
    )


def main() -> int:
    """Serves until it is told to stop."""
    library, provider_port = sys.argv[1:]
    orders = Orders(ctypes.CDLL(library), make_works())
    return uvloop.run(app.serve(make_settings(int(provider_port)), orders.listen))


def _repeat(times: int, work: Callable[[], object]) -> None:
    for _ in range(times):
        work()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
