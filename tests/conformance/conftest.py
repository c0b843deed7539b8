# SPDX-License-Identifier: Apache-2.0
"""One gateway with the simulator for all tests of this folder, and the SDKs that talk to it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from openai import AsyncOpenAI, OpenAI

from support.gateway import RunningGateway, running_gateway
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub


@pytest.fixture(scope="session")
async def gateway() -> AsyncIterator[RunningGateway]:
    """A gateway as it is without any file: the simulator alone, no keys."""
    async with running_gateway() as running:
        yield running


@pytest.fixture(scope="session")
async def sdk(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's asynchronous client; it does not retry."""
    async with AsyncOpenAI(base_url=gateway.openai_url, api_key="none needed", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def blocking_sdk(gateway: RunningGateway) -> Iterator[OpenAI]:
    """OpenAI's blocking client. The gateway runs on this thread's event loop, so call it in another thread."""
    with OpenAI(base_url=gateway.openai_url, api_key="none needed", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
async def stub(gateway: RunningGateway) -> AsyncIterator[ChatServiceStub]:
    """The generated stub of ChatService."""
    async with gateway.connect() as connected:
        yield connected
