# SPDX-License-Identifier: Apache-2.0
"""Holding a port that several processes will listen on.

A socket that is bound with SO_REUSEPORT and does not listen gets no connections. It keeps a port that the system chose, and it fails where
somebody else has the port: processes of the same user could otherwise join in without anybody noticing.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Final

_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def can_share_ports() -> bool:
    """Whether this system spreads connections over the processes that listen on one port. Others may know the option, but give all to one process."""
    return sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")


def reserve(host: str, port: int) -> tuple[list[socket.socket], int]:
    """Sockets that hold a port on each address of a host, and the port, a free one for 0. Raises OSError where it is taken."""
    held: list[socket.socket] = []
    absent: OSError | None = None
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    try:
        for family, _, _, _, address in dict.fromkeys(addresses):
            where = (address[0], port, *address[2:])
            try:
                held.append(_hold(family, where))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                continue
            port = held[0].getsockname()[1]
    except OSError as error:
        for holder in held:
            holder.close()
        raise OSError(error.errno, f"{error.strerror} ({host}:{port})") from error
    if absent is not None and not held:
        raise absent
    return held, port


def _hold(family: int, where: tuple[object, ...]) -> socket.socket:
    if where[1]:
        # The same without SO_REUSEPORT: it fails where anybody listens, even somebody who would share.
        with _bound(family, where, share=False):
            pass
    return _bound(family, where, share=True)


def _bound(family: int, where: tuple[object, ...], *, share: bool) -> socket.socket:
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.bind(where)
        # It was for the connections of an earlier gateway that linger on the port; left on, it would let others listen beside us.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except BaseException:  # whatever it is, the socket must not stay open
        holder.close()
        raise
    return holder
