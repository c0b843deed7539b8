# SPDX-License-Identifier: Apache-2.0
"""Keys that providers repeat."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from support.fault_upstream import Answer, FaultUpstream
from support.gateway import offer, running_gateway
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.hidden import hide, pattern_of

KEY = "sk-canary/1234+"
SAID = b"no: sk-canary/1234+ and ?key=sk-canary%2F1234%2B, sk-canary/1234+"


async def cut(size: int) -> AsyncIterator[bytes]:
    """What was said in blocks of some size."""
    for start in range(0, len(SAID), size):
        yield SAID[start : start + size]


@pytest.mark.parametrize("size", range(1, len(SAID) + 1))
async def test_wherever_it_is_cut(size: int) -> None:
    """Each form of the key goes, and nothing else."""
    pattern = pattern_of(Secret(KEY))
    assert pattern is not None
    told = b"".join([block async for block in hide(cut(size), pattern)])
    assert told == b"no: *** and ?key=***, ***"


@pytest.mark.parametrize("secret", [None, Secret("test")])
def test_nothing_to_hide(secret: Secret | None) -> None:
    """No key, and one that is a word."""
    assert pattern_of(secret) is None


@pytest.mark.parametrize(
    ("auth", "dialect"), [("bearer", "openai_chat"), ("query", "gemini"), ("x-api-key", "anthropic")]
)
async def test_a_provider_that_repeats_the_key(auth: str, dialect: str) -> None:
    """The caller reads the provider's words without it."""
    said = (
        b'{"error": {"message": "I do not like sk-canary-1234.", "code": "sk-canary-1234", "type": "sk-canary-1234"}}'
    )
    refusal = Answer(status=400, headers={"content-type": "application/json"}, steps=[said[:40], said[40:]])
    async with (
        FaultUpstream(refusal) as upstream,
        running_gateway(**offer(upstream.base_url, api_key="sk-canary-1234", auth=auth, dialect=dialect)) as gateway,
        aiohttp.ClientSession() as http,
        http.post(
            gateway.chat_url, json={"model": "acme/one", "messages": [{"role": "user", "content": "Hi."}]}
        ) as answer,
    ):
        text = await answer.text()
    assert (answer.status, "I do not like ***." in text, "canary" in text) == (400, True, False)
