# SPDX-License-Identifier: Apache-2.0
"""Rows of the fault matrix about the way to the provider: names, certificates, kept connections. On both wires, streamed and whole, with and without another endpoint."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from grpc import StatusCode, aio

from support.builders import make_request
from support.fault_calls import Client, Seen
from support.fault_gateway import HASTY, PATIENT, SPARE, SPARE_TEXT, answer_well, running_client
from support.fault_rows import STREAM_TEXT, TIMEOUT, UNAVAILABLE, Fails, head, raw
from support.fault_upstream import Answer, FaultUpstream, Hang, ReceivedRequest, Reset, json_answer
from support.fault_ways import Certificates, Names, client_with_ways
from trunkline.errors import error_from_call
from trunkline_server.upstream.http import HttpUpstream

ASKING = [(wire, streamed) for wire in ("http", "grpc") for streamed in (True, False)]
UNTRUSTED = ("wrong-host", "expired", "unknown")
NAMES: Mapping[str, Fails] = {"unknown": UNAVAILABLE, "hangs": TIMEOUT}


def settings_for(urls: Mapping[str, str], spare: FaultUpstream) -> Mapping[str, Any]:
    """A model for each provider at `urls`: one at the provider alone, one with another provider behind it."""
    rows = [
        {"slug": slug, "base_url": url, "allow_plain_http": True, "timeouts": HASTY if slug == "hangs" else PATIENT}
        for slug, url in urls.items()
    ]
    models = [
        {
            "slug": f"{name}/{slug}.{wire}.{streamed}",
            "endpoints": [{"provider": at, "upstream_model": "x"} for at in ends],
        }
        for slug in urls
        for name, ends in (("alone", [slug]), ("spared", [slug, SPARE]))
        for wire, streamed in ASKING
    ]
    providers = [*rows, {"slug": SPARE, "base_url": spare.base_url}]
    return {"providers": providers, "models": models, "simulator": False}


async def ask_all(client: Client, slugs: Sequence[str]) -> Mapping[tuple[str, str, str], Seen]:
    """What is seen of each model, on each wire, in each form. The keys: "alone" or "spared", the provider, the wire."""
    keys = [(name, slug, wire, streamed) for name in ("alone", "spared") for slug in slugs for wire, streamed in ASKING]
    seen = await asyncio.gather(
        *(
            client.ask(f"{name}/{slug}.{wire}.{streamed}", wire=wire, streamed=streamed, order=(slug, SPARE))
            for name, slug, wire, streamed in keys
        )
    )
    return {
        (name, slug, f"{wire} {streamed}"): one for (name, slug, wire, streamed), one in zip(keys, seen, strict=True)
    }


def is_failure(seen: Seen, outcome: Fails) -> bool:
    """Whether a client saw the failure, or that the model is out of service for a while where the budget of retries is spent; nothing before it."""
    if seen.reason == "TEMPORARILY_UNAVAILABLE":
        return seen.retry_after_s is not None and not seen.text
    return seen.error in {(outcome.status, outcome.error_type), (outcome.code, outcome.error_type)} and not seen.text


async def test_certificates_that_are_not_to_be_trusted() -> None:
    """F04: a wrong host, an expired and an unknown certificate are failures whose text tells nothing of the inside; no request ever gets there."""
    shown = Certificates()
    async with AsyncExitStack() as stack:
        spare = await stack.enter_async_context(FaultUpstream(answer_well))
        servers = {
            name: await stack.enter_async_context(FaultUpstream(answer_well, ssl=shown.server(name)))
            for name in (*UNTRUSTED, "good")
        }
        urls = {name: server.base_url for name, server in servers.items()}
        ways = {name: HttpUpstream(base_url=url, ssl=shown.trust()) for name, url in urls.items()}
        client = await stack.enter_async_context(client_with_ways(ways, settings_for(urls, spare)))
        seen = await ask_all(client, [*UNTRUSTED, "good"])
    assert [key for key, one in seen.items() if key[1] == "good" and one.text != SPARE_TEXT] == []
    assert [key for key, one in seen.items() if key[0] == "spared" and one.text != SPARE_TEXT] == []
    failed = {key: one for key, one in seen.items() if key[0] == "alone" and key[1] in UNTRUSTED}
    assert [(key, one) for key, one in failed.items() if not is_failure(one, UNAVAILABLE)] == []
    assert [name for name in UNTRUSTED if servers[name].requests] == []
    assert len(servers["good"].requests) == 2 * len(ASKING)


async def test_names() -> None:
    """F02, F03: a name that is not found is a failure at once, one that hangs is one at the connect time-out; another endpoint makes both good."""
    names = Names()
    urls = {slug: f"http://{slug}.test/v1" for slug in NAMES}
    async with FaultUpstream(answer_well) as spare:
        ways = {slug: HttpUpstream(base_url=url, look_up=names.look_up) for slug, url in urls.items()}
        async with client_with_ways(ways, settings_for(urls, spare)) as client:
            seen = await ask_all(client, list(NAMES))
        names.free()
    assert [key for key, one in seen.items() if key[0] == "spared" and one.text != SPARE_TEXT] == []
    alone = {key: one for key, one in seen.items() if key[0] == "alone"}
    assert [(key, one) for key, one in alone.items() if not is_failure(one, NAMES[key[1]])] == []


@pytest.mark.parametrize(("wire", "streamed"), ASKING)
async def test_a_kept_connection_that_was_closed(wire: str, streamed: bool) -> None:
    """F09: a kept connection that is reset before it answers costs one more request at the same provider, which counts as no attempt."""

    def answer(request: ReceivedRequest) -> Answer:
        return raw(Reset()) if len(at.requests) == 2 else answer_well(request)

    at = FaultUpstream(answer)
    async with at, running_client(at) as client:
        first, second = [await client.ask("acme/one", wire=wire, streamed=streamed) for _ in range(2)]
        record = await client.record(second.generation_id or "")
    assert [first.text, second.text] == [SPARE_TEXT] * 2
    assert [entry["status"] for entry in record["provider_responses"]] == [200]
    connections = [request.connection for request in at.requests]
    assert (connections[0] == connections[1], len(set(connections))) == (True, 2)


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", b"x"])
async def test_bytes_behind_an_answer(surplus: bytes) -> None:
    """F14: the connection of an answer with something behind its declared length serves nobody else."""
    begin = head("text/event-stream", f"content-length: {len(STREAM_TEXT)}") + STREAM_TEXT
    async with FaultUpstream(raw(begin + surplus, Hang())) as at, running_client(at) as client:
        seen = [await client.ask("acme/one", wire="http", streamed=True) for _ in range(2)]
    connections = [request.connection for request in at.requests]
    assert len(set(connections)) == len(connections) >= 2
    assert {one.text for one in seen} <= {"Hello", ""}


@pytest.mark.parametrize(("status", "error_type"), [(401, "provider_unavailable"), (400, "invalid_request")])
async def test_no_second_attempt_at_the_same_endpoint(status: int, error_type: str) -> None:
    """P-19: an upstream that blames the key or the request gets each call once, 100 of them on both wires."""
    told = {"error": {"message": "no"}}
    async with FaultUpstream(json_answer(told, status=status)) as at, running_client(at) as client:
        seen = [await client.ask("acme/one", wire=wire, streamed=streamed) for wire, streamed in ASKING * 25]
    assert len(at.requests) <= len(seen)
    assert {one.error[1] for one in seen if one.error is not None} <= {error_type, "provider_unavailable"}
    assert {one.error is None for one in seen} == {False}


async def test_a_deadline_in_the_queue() -> None:
    """F61: a call whose time is over while it waits for a place at the endpoint ends in DEADLINE_EXCEEDED, unseen by the provider, and is charged nothing."""
    async with FaultUpstream(raw(Hang())) as at, running_client(at, most_concurrent=1) as client:
        holding = asyncio.ensure_future(client.ask("acme/one", wire="http", streamed=True))
        await at.wait_for_requests(1)
        request = make_request(model="acme/one")
        with pytest.raises(aio.AioRpcError) as caught:
            await client.stub.CreateChatCompletion(request, metadata=[("x-request-timeout", "0.3")])
        holding.cancel()
        record = await client.record(error_from_call(caught.value).generation_id or "")
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert (len(at.requests), record["total_cost"], record["provider_responses"]) == (1, 0, None)
