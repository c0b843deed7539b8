# SPDX-License-Identifier: Apache-2.0
"""Leaving a port that other processes go on to serve, without losing a connection.

A connection is whole before anybody accepts it. Whatever waits in the queue of a listening socket is reset when the socket closes, so the queue is
emptied first, and in the same breath.
"""

from __future__ import annotations

import asyncio
import os
import socket


def empty_and_close(listener: asyncio.Server) -> list[socket.socket]:
    """Closes a listener, and gives the connections that nobody had accepted yet."""
    doubles = [socket.socket(fileno=os.dup(each.fileno())) for each in listener.sockets]
    listener.close()
    waiting: list[socket.socket] = []
    for double in doubles:
        with double:
            double.setblocking(False)
            try:
                while True:
                    connection, _ = double.accept()
                    connection.setblocking(False)
                    waiting.append(connection)
            except OSError:
                # The queue is empty, or what waited there has left: either way nothing is lost by closing.
                continue
    return waiting
