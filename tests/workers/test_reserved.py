# SPDX-License-Identifier: Apache-2.0
"""Holding a port for several processes."""

import socket
from contextlib import ExitStack

import pytest

from trunkline_server.workers.reserved import can_share_ports, reserve

pytestmark = pytest.mark.skipif(not can_share_ports(), reason="no SO_REUSEPORT that spreads connections")


def listener(port: int = 0, *, share: bool) -> socket.socket:
    """A listening socket on loopback."""
    return socket.create_server(("127.0.0.1", port), reuse_port=share)


def test_a_free_port_is_held_for_those_who_share() -> None:
    """Port 0 becomes a real one, on which our processes listen and nobody else does; connections go to those that listen."""
    held, port = reserve("127.0.0.1", 0)
    with ExitStack() as stack:
        for holder in held:
            stack.enter_context(holder)
        with pytest.raises(OSError, match="in use"):
            listener(port, share=False)
        with listener(port, share=True) as one, socket.create_connection(("127.0.0.1", port), timeout=5):
            one.settimeout(5)
            one.accept()[0].close()


@pytest.mark.parametrize("share", [True, False])
def test_a_port_that_somebody_has(share: bool) -> None:
    """A port on which anybody listens is taken, even where the other one would share it."""
    with listener(share=share) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            reserve("127.0.0.1", port)


def test_a_port_can_be_had_again() -> None:
    """What a held port was held for may end and begin again."""
    held, port = reserve("localhost", 0)
    for holder in held:
        holder.close()
    again, same = reserve("localhost", port)
    for holder in again:
        holder.close()
    assert (same, len(again)) == (port, len(held))


def test_no_address_of_this_machine() -> None:
    """An address of another machine cannot be held."""
    with pytest.raises(OSError, match="assign"):
        reserve("192.0.2.1", 0)
