# SPDX-License-Identifier: Apache-2.0
"""How `trunkline serve --workers N` becomes the supervisor: this process holds the ports, then gives its place to a small one (`trunkline_server.supervise`)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from trunkline_server.cli.terminal import CommandError
from trunkline_server.config.settings import Settings
from trunkline_server.config.values import Listen, join_host_port
from trunkline_server.workers.orders import Orders
from trunkline_server.workers.reserved import can_share_ports, reserve

# Beyond delay and grace, for the end of the connections and of the process.
_STOP_SLACK_S: Final = 10.0
Execute = Callable[[str, list[str]], NoReturn]


def become_supervisor(
    settings: Settings,
    config: str | None,
    flags: Mapping[str, object],
    banner_of: Callable[[str, str], str],
    *,
    execute: Execute = os.execv,
    may_share: Callable[[], bool] = can_share_ports,
) -> int:
    """Put the supervisor in this process's place.

    `config` is the settings' file (None: none) and `flags` are the flags given, which the workers get again. `banner_of` makes the banner of the HTTP URL and
    the gRPC target. Raises CommandError where a port is taken, or this system cannot share ports.
    """
    if settings.workers is None or not may_share():
        raise CommandError(
            "--workers needs Linux: no other system spreads the connections to one port over several processes (SO_REUSEPORT). "
            "Without it one process serves; several can stand behind a balancer, each on ports of its own."
        )
    http, grpc = settings.http.listen, settings.grpc.listen
    try:
        http_holders, http_port = reserve(http.host, http.port)
        grpc_holders, grpc_port = reserve(grpc.host, grpc.port)
    except OSError as error:
        raise CommandError(f"cannot listen: {error}. Another address: --http HOST:PORT, --grpc HOST:PORT.") from error
    http, grpc = Listen(host=http.host, port=http_port), Listen(host=grpc.host, port=grpc_port)
    given = {**flags, "--http": str(http), "--grpc": str(grpc)}
    orders = Orders(
        command=[*_python("trunkline_server"), "serve", *_written(config, given)],
        workers=settings.workers,
        banner=banner_of(f"http://{join_host_port(http.host, http.port)}", str(grpc)),
        stop_limit_s=settings.drain.delay_s + settings.drain.grace_s + _STOP_SLACK_S,
        log_format=settings.log.format,
        log_level=settings.log.level,
        reserved_fds=[_keep(holder) for holder in (*http_holders, *grpc_holders)],
    )
    command = [*_python("trunkline_server.supervise"), orders.to_text()]
    execute(command[0], command)


def _python(module: str) -> list[str]:
    """The command that runs a module as this interpreter would, without the folder that it happens to stand in."""
    return [sys.executable, "-P", *(f"-W{option}" for option in sys.warnoptions), "-m", module]


def _written(config: str | None, flags: Mapping[str, object]) -> list[str]:
    """The flags of a command line."""
    words = [] if config is None else ["--config", config]
    for flag, value in flags.items():
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag.removeprefix('--')}")
        else:
            words += [flag, str(value)]
    return words


def _keep(holder: socket.socket) -> int:
    """The descriptor of a socket that stays open in the program which takes this one's place."""
    holder.set_inheritable(True)
    return holder.detach()
