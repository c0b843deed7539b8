# SPDX-License-Identifier: Apache-2.0
"""A caller's header for the provider arrives there, and only where the provider's language has it."""

import aiohttp
import pytest

from support.fault_upstream import FaultUpstream, json_answer
from support.gateway import offer, running_gateway

ANSWERS = {
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "openai_chat": {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    },
}


@pytest.mark.parametrize(("dialect", "arrives"), [("anthropic", "one,two"), ("openai_chat", None)])
async def test_the_beta_header(dialect: str, arrives: str | None) -> None:
    """`x-anthropic-beta` is Anthropic's alone."""
    request = {"model": "acme/one", "messages": [{"role": "user", "content": "hello"}]}
    async with (
        FaultUpstream(json_answer(ANSWERS[dialect])) as upstream,
        running_gateway(**offer(upstream.base_url, dialect=dialect)) as gateway,
        aiohttp.ClientSession(headers={"x-anthropic-beta": "one,two"}) as http,
        http.post(gateway.chat_url, json=request) as answer,
    ):
        assert answer.status == 200, await answer.text()
    sent = upstream.requests[0].headers
    assert sent.get("anthropic-beta") == arrives
    assert "x-anthropic-beta" not in sent
