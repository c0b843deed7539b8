# SPDX-License-Identifier: Apache-2.0
"""What travels as an argument comes out as it went in."""

import pytest

from trunkline_server.workers.orders import Orders, Seat

ORDERS = Orders(
    command=["python", "-m", "x", 'with "quotes"'],
    workers=2,
    banner="line one\nzwei",
    stop_limit_s=40.5,
    log_format="json",
    log_level="info",
    reserved_fds=[7, 8],
)


def test_orders_travel() -> None:
    """The supervisor reads what the command line wrote."""
    assert Orders.read(ORDERS.to_text()) == ORDERS


def test_a_seat_travels() -> None:
    """The worker reads what the supervisor wrote."""
    seat = Seat(number=3, control_fd=9, folder="/tmp/x")
    assert Seat.read(seat.to_text()) == seat


@pytest.mark.parametrize("text", ["", "{}", '{"number": 1}', "[1]"])
def test_what_is_no_seat(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises((ValueError, TypeError)):
        Seat.read(text)
