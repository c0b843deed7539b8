# SPDX-License-Identifier: Apache-2.0
"""The supervisor's process, `python -m trunkline_server.supervise ORDERS`: what `trunkline serve --workers N` becomes.

It imports the standard library and little of ours, so that it is small, starts at once, and cannot fail by what the workers do.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trunkline_server.telemetry.log_setup import set_up_logging
from trunkline_server.workers.orders import Orders
from trunkline_server.workers.supervisor import Supervisor


def main(arguments: Sequence[str]) -> int:
    """Supervise by the orders of the one argument, and return the exit status."""
    orders = Orders.read(arguments[0])
    set_up_logging("json" if orders.log_format == "json" else "text", orders.log_level)
    # Made with 0700: the workers answer whoever can open it, which is their user alone.
    with tempfile.TemporaryDirectory(prefix="trunkline-") as folder:
        return asyncio.run(_run(orders, Path(folder)))


async def _run(orders: Orders, folder: Path) -> int:
    # Made inside the loop that it belongs to.
    return await Supervisor(orders, folder, lambda: _announce(orders.banner)).run()


def _announce(banner: str) -> None:
    sys.stdout.write(f"{banner}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
