# SPDX-License-Identifier: Apache-2.0
"""The gateways that hostile input is sent to, and the table of what waits for a feature, printed at the end of the run."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from _pytest.terminal import TerminalReporter

from hostile.waiting import WAITING
from support.gateway import RunningGateway, key_row, running_gateway

KEY = "tl-" + "k" * 43


@pytest.fixture(scope="session")
def key() -> str:
    """The one key that the locked gateway knows."""
    return KEY


@pytest.fixture(scope="session")
async def gateway() -> AsyncIterator[RunningGateway]:
    """A gateway as it is without any file: the simulator alone, no keys."""
    async with running_gateway() as running:
        yield running


@pytest.fixture(scope="session")
async def locked() -> AsyncIterator[RunningGateway]:
    """A gateway that wants a key."""
    async with running_gateway(keys=[key_row("tester", KEY)]) as running:
        yield running


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client, which sends every path as it is given."""
    async with aiohttp.ClientSession(requote_redirect_url=False) as session:
        yield session


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the rows that no test covers wholly yet, and what each waits for."""
    terminalreporter.section("hostile rows that wait for a feature")
    for row in WAITING:
        partly = " (partly tested)" if row.partly else ""
        terminalreporter.write_line(f"{row.number}{partly} waits for {row.feature}: {row.rest}")
