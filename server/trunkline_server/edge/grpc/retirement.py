# SPDX-License-Identifier: Apache-2.0
"""Leaving a gRPC port that other processes go on to serve, without a failed call.

A stopping server of grpc core tells its clients to leave, and cancels the calls that reach it before they have heard that: a client that never pauses
sees CANCELLED, which it must not retry. Only a connection that reached its age is left without loss, while the server as such goes on. So a process
that retires takes no more connections and waits for the age of those it has. grpc has no way to stop listening alone; but on Linux a
listening socket can be shut down through any descriptor of it, whereupon grpc core gives it up (and says so in one line on standard error).
Seen with grpcio 1.85.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_IP: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_DESCRIPTORS: Final = Path("/proc/self/fd")


def close_listeners(port: int) -> None:
    """Stops this process from accepting connections on a TCP port."""
    for held in _sockets_of(port):
        if held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            held.shutdown(socket.SHUT_RDWR)


def count_connections(port: int) -> int:
    """How many connections of a TCP port this process has."""
    return sum(_is_connected(held) for held in _sockets_of(port))


def _sockets_of(port: int) -> Iterator[socket.socket]:
    """Doubles of the process's TCP sockets at a local port, each closed after its turn."""
    for path in _DESCRIPTORS.iterdir() if _DESCRIPTORS.is_dir() else ():
        try:
            if not stat.S_ISSOCK(os.fstat(int(path.name)).st_mode):
                continue
            held = socket.socket(fileno=os.dup(int(path.name)))
        except OSError:  # closed since it was listed
            continue
        with held:
            if held.family in _IP and held.type == socket.SOCK_STREAM and held.getsockname()[1] == port:
                yield held


def _is_connected(held: socket.socket) -> bool:
    try:
        held.getpeername()
    except OSError:
        return False
    return True
