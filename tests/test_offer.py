# SPDX-License-Identifier: Apache-2.0
"""What the gateway offers, and what a change of it does to calls under way."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from support.fault_upstream import Answer, FaultUpstream, Hang, json_answer, stream_answer, text_chunk
from support.gateway import offer
from trunkline_server.app import App
from trunkline_server.config.settings import Settings
from trunkline_server.engine import waits
from trunkline_server.offer import Offer

LOOPBACK: dict[str, Any] = {
    "http": {"listen": "127.0.0.1:0"},
    "grpc": {"listen": "127.0.0.1:0"},
    "drain": {"grace_s": 1.0},
}
URL = "https://api.acme.example/v1"


def make_settings(rows: Any = None, **more: Any) -> Settings:
    """Settings that listen on free ports."""
    return Settings.model_validate({**LOOPBACK, **(rows or {}), **more})


@pytest.mark.parametrize(
    ("after", "is_kept"),
    [
        (offer(URL), True),
        (offer(URL, name="Acme, Inc."), True),
        (offer(URL, timeouts={"idle_s": 1.0}), True),
        (offer("https://eu.acme.example/v1"), False),
        (offer(URL, api_key="sk-new"), False),
        (offer(URL, auth="x-api-key"), False),
        (offer(URL, auth_header="x-key"), False),
        (offer(URL, proxy="http://proxy:3128"), False),
        (offer(URL, wire={"path": "/other"}), True),
    ],
)
async def test_an_upstream_stays_where_its_way_does(after: Any, is_kept: bool) -> None:
    """Connections are kept unless address, key or what lies between changed; the simulator's way never does."""
    first = Offer.make(make_settings(offer(URL)))
    second = await first.following(make_settings(after))
    await first.retire(second)
    assert (second.upstreams["acme"] is first.upstreams["acme"]) is is_kept
    assert second.upstreams["simulator"] is first.upstreams["simulator"]


OFFERED = offer(URL)
RENAMED = {**OFFERED, "models": [{"slug": "acme/one", "endpoints": [{"provider": "acme", "upstream_model": "two"}]}]}


@pytest.mark.parametrize(
    ("after", "mended"),
    [
        pytest.param(OFFERED, [], id="nothing"),
        pytest.param(offer(URL, name="Acme, Inc."), [], id="a name"),
        pytest.param(offer(URL, prices={"prompt": "0.000001"}), [], id="a price"),
        pytest.param(offer("https://eu.acme.example/v1"), [("acme/one", "acme")], id="its address"),
        pytest.param(offer(URL, api_key="sk-new"), [("acme/one", "acme")], id="its key"),
        pytest.param(offer(URL, timeouts={"idle_s": 1.0}), [("acme/one", "acme")], id="its time-outs"),
        pytest.param(RENAMED, [("acme/one", "acme")], id="the name of the model"),
        pytest.param({}, [("acme/one", "acme")], id="it is gone"),
    ],
)
async def test_what_was_mended(after: Any, mended: list[tuple[str, str]]) -> None:
    """Endpoints that are reached otherwise than before; what they cost and are called does not matter."""
    first = Offer.make(make_settings(OFFERED))
    assert first.mended(await first.following(make_settings(after))) == mended


async def test_a_new_key_ends_a_quarantine() -> None:
    """An endpoint whose key was refused is well again as soon as its provider has another one, and not after a minute."""
    body = {"model": "acme/one", "messages": [{"role": "user", "content": "hi"}]}
    async with FaultUpstream(json_answer({}, status=401)) as upstream, aiohttp.ClientSession() as http:
        app = App(make_settings(offer(upstream.base_url, api_key="sk-old")))
        bound = await app.start()
        statuses = []
        for _ in range(2):
            async with http.post(f"{bound.http_url}/v1/chat/completions", json=body) as answer:
                assert answer.status == 502
        for key in ("sk-old", "sk-new"):
            await app.take_over(make_settings(offer(upstream.base_url, api_key=key)))
            async with http.get(f"{bound.http_url}/v1/models/acme/one/endpoints") as answer:
                statuses.append((await answer.json())["data"]["endpoints"][0]["status"])
        await app.stop()
    assert statuses == [-2, 0]


async def test_a_new_way_ends_a_suspicion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits at an address that nobody answers at does not speak against the one that takes its place."""
    monkeypatch.setattr(waits, "SUSPECT_S", 0.0)
    body = {"model": "acme/one", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with FaultUpstream(Answer(steps=[Hang()], raw=True)) as upstream, aiohttp.ClientSession() as http:
        app = App(make_settings(offer(upstream.base_url, api_key="sk-old")))
        bound = await app.start()
        calling = asyncio.create_task(http.post(f"{bound.http_url}/v1/chat/completions", json=body))
        await upstream.wait_for_requests(1)
        statuses = []
        for key in ("sk-old", "sk-new"):
            await app.take_over(make_settings(offer(upstream.base_url, api_key=key)))
            async with http.get(f"{bound.http_url}/v1/models/acme/one/endpoints") as answer:
                statuses.append((await answer.json())["data"]["endpoints"][0]["status"])
        calling.cancel()
        await app.stop()
    assert statuses == [-1, 0]


async def test_catalog_and_deployment_are_those_of_the_new_settings() -> None:
    """Both change together; the way to a provider that is gone stays for calls planned before."""
    first = Offer.make(make_settings(offer(URL)))
    second = await first.following(make_settings(routing={"zdr": True}))
    assert ("acme/one" in first.catalog.models, "acme/one" in second.catalog.models) == (True, False)
    assert (first.deployment.filters, second.deployment.preferences.zdr) == (False, True)
    assert "acme" in second.upstreams


async def test_calls_under_way_go_on() -> None:
    """A stream of a provider that a change removes ends as if nothing had been; then its connection closes, and new calls find no such model."""
    async with (
        FaultUpstream(
            stream_answer(text_chunk("one"), text_chunk(" two", finish_reason="stop"), pause_s=0.3)
        ) as upstream,
        aiohttp.ClientSession() as http,
    ):
        app = App(make_settings(offer(upstream.base_url)))
        bound = await app.start()
        url = f"{bound.http_url}/v1/chat/completions"
        body = {"model": "acme/one", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        async with http.post(url, json=body) as answer:
            first = await answer.content.readuntil(b"\n\n")
            await app.take_over(make_settings())
            async with http.post(url, json=body) as refused:
                assert (refused.status, (await refused.json())["error"]["code"]) == (400, 400)
            rest = first + await answer.read()
        events = [line.removeprefix("data: ") for line in rest.decode().splitlines() if line.startswith("data: ")]
        await app.stop()
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == "one two"
    assert (len(upstream.requests), upstream.requests[0].aborted.is_set()) == (1, False)


async def test_a_new_provider_is_called_at_once() -> None:
    """What a change adds has an upstream; what moved is called at its new address, with its new key."""
    said = json_answer(
        {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]}
    )
    body = {"model": "acme/one", "messages": [{"role": "user", "content": "hi"}]}
    async with FaultUpstream(said) as old, FaultUpstream(said) as new, aiohttp.ClientSession() as http:
        app = App(make_settings())
        bound = await app.start()
        for rows in (offer(old.base_url, api_key="sk-old"), offer(new.base_url, api_key="sk-new")):
            await app.take_over(make_settings(rows))
            async with http.post(f"{bound.http_url}/v1/chat/completions", json=body) as answer:
                assert answer.status == 200
        await app.stop()
    assert [upstream.requests[0].headers["authorization"] for upstream in (old, new)] == [
        "Bearer sk-old",
        "Bearer sk-new",
    ]
    assert (len(old.requests), len(new.requests)) == (1, 1)


async def test_what_every_request_must_meet_changes_too() -> None:
    """A provider that a new `[routing]` rules out is called no more, whatever the request says."""
    body = {"model": "acme/one", "provider": {"zdr": False}, "messages": [{"role": "user", "content": "hi"}]}
    async with FaultUpstream() as upstream, aiohttp.ClientSession() as http:
        app = App(make_settings())
        bound = await app.start()
        await app.take_over(make_settings(offer(upstream.base_url), routing={"zdr": True}))
        async with http.post(f"{bound.http_url}/v1/chat/completions", json=body) as answer:
            error = (await answer.json())["error"]
        await app.stop()
    assert (error["code"], error["availability"]["code"], upstream.requests) == (404, "privacy_restricted", [])


async def test_many_changes_under_load() -> None:
    """No call of a provider that moves again and again fails."""
    said = json_answer(
        {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]}
    )
    body = {"model": "acme/one", "messages": [{"role": "user", "content": "hi"}]}
    async with FaultUpstream(said) as one, FaultUpstream(said) as two, aiohttp.ClientSession() as http:
        app = App(make_settings(offer(one.base_url)))
        bound = await app.start()

        async def call() -> list[int]:
            statuses = []
            for _ in range(30):
                async with http.post(f"{bound.http_url}/v1/chat/completions", json=body) as answer:
                    statuses.append(answer.status)
            return statuses

        async def change() -> None:
            for number in range(20):
                await app.take_over(make_settings(offer((one, two)[number % 2].base_url)))
                await asyncio.sleep(0.005)

        *statuses, _ = await asyncio.gather(call(), call(), call(), call(), change())
        await app.stop()
    assert {status for each in statuses if each for status in each} == {200}
    assert one.requests
    assert two.requests
