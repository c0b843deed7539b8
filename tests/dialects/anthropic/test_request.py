# SPDX-License-Identifier: Apache-2.0
"""Requests as Anthropic gets them."""

from typing import Any

import orjson
import pytest

from support.anthropic_wire import CODEC, render
from support.builders import make_endpoint, make_provider, make_request
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.anthropic.request import PATH, VERSION, render_request, thaw

ENDPOINT = make_endpoint(make_provider("anthropic", dialect="anthropic"), upstream_model="claude-sonnet-4-5")
CACHE = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(("stream", "accept"), [(True, "text/event-stream"), (False, "application/json")])
def test_the_frame(stream: bool, accept: str) -> None:
    """Path, headers and the mark of a stream; no credentials."""
    rendered = render_request(CODEC, make_request("Hi"), ENDPOINT, stream=stream)
    assert rendered.path == PATH
    assert dict(rendered.headers) == {
        "content-type": "application/json",
        "accept": accept,
        "anthropic-version": VERSION,
    }
    body = orjson.loads(rendered.body)
    assert (body["model"], body.get("stream")) == ("claude-sonnet-4-5", True if stream else None)
    assert (rendered.dropped, rendered.changed) == ((), ())


MEMBERS = [
    ({"stop": "END"}, {"stop_sequences": ["END"]}, ()),
    ({"stop": ["a", " "]}, {"stop_sequences": ["a"]}, ()),
    ({"stop": "\n"}, {}, ("stop",)),
    ({"user": "u"}, {"metadata": {"user_id": "u"}}, ()),
    ({"safety_identifier": "s"}, {"metadata": {"user_id": "s"}}, ()),
    ({"user": "u", "safety_identifier": "s"}, {"metadata": {"user_id": "u"}}, ("safety_identifier",)),
    ({"service_tier": "auto"}, {"service_tier": "auto"}, ()),
    ({"service_tier": "default"}, {"service_tier": "standard_only"}, ()),
    ({"service_tier": "priority"}, {"service_tier": "auto"}, ()),
    ({"service_tier": "flex"}, {}, ("service_tier",)),
    ({"container": "c", "inference_geo": "eu"}, {"container": "c", "inference_geo": "eu"}, ()),
    ({"output_config": {"task_budget": {"total": 5}}}, {"output_config": {"task_budget": {"total": 5}}}, ()),
    ({"seed": 1, "n": 1, "provider": {"sort": "price"}, "mine": 1}, {}, ("seed", "n", "mine")),
]


@pytest.mark.parametrize(("said", "sent", "dropped"), MEMBERS)
def test_members(said: dict[str, Any], sent: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """What has a place is there under its name, what has none is reported, what the gateway does is neither."""
    body, report = render(said)
    plain, _ = render({})
    assert {name: value for name, value in body.items() if plain.get(name) != value} == sent
    assert sorted(report.dropped) == sorted(dropped)


def test_stops_of_white_space() -> None:
    """A stop that Anthropic refuses is left out, and that is told where others are sent."""
    assert render({"stop": ["\n\n", "END"]})[1].changed == (("stop", "white space alone left out"),)
    assert render({"stop": ["END"]})[1].changed == ()


BETAS = [
    ({}, None),
    ({"mcp_servers": [{"name": "a"}]}, "mcp-client-2025-11-20"),
    ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "context-management-2025-06-27"),
    (
        {"context_management": {"edits": [{"type": "compact_20260112"}]}, "speed": "fast"},
        "context-management-2025-06-27,compact-2026-01-12,fast-mode-2026-02-01",
    ),
    ({"output_config": {"task_budget": {"total": 5}}}, "task-budgets-2026-03-13"),
    ({"verbosity": "low"}, None),
]


@pytest.mark.parametrize(("said", "betas"), BETAS)
def test_betas(said: dict[str, Any], betas: str | None) -> None:
    """A beta is named where a field of the caller's needs it, and nowhere else."""
    body = {"messages": [{"role": "user", "content": "Hi"}], **said}
    rendered = render_request(CODEC, CODEC.decode(ChatCompletionRequest, body), ENDPOINT, stream=False)
    assert rendered.headers.get("anthropic-beta") == betas


TIERS = [
    ("priority", False, None, "auto", ()),
    ("priority", False, "fast", "auto", ()),
    ("priority", False, "flex", "auto", ("service_tier",)),
    (None, True, "priority", "standard_only", ("service_tier",)),
    (None, True, None, None, ()),
]


@pytest.mark.parametrize(("sold", "beside", "asked", "sent", "dropped"), TIERS)
def test_tiers_with_prices(
    sold: str | None, beside: bool, asked: str | None, sent: str | None, dropped: tuple[str, ...]
) -> None:
    """An endpoint serves the tier that it is priced at."""
    body, report = render({"service_tier": asked} if asked else {}, service_tier=sold, beside_tiers=beside)
    assert (body.get("service_tier"), report.dropped) == (sent, dropped)


def test_what_a_provider_refuses() -> None:
    """A provider's row may refuse what the language has."""
    provider = make_provider("like", dialect="anthropic", refuses=frozenset({"top_k"}))
    request = CODEC.decode(ChatCompletionRequest, {"messages": [{"role": "user", "content": "Hi"}], "top_k": 5})
    rendered = render_request(CODEC, request, make_endpoint(provider), stream=False)
    assert (b"top_k" in rendered.body, rendered.dropped) == (False, ("top_k",))


def text(words: str, **marks: Any) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": words, **marks}


def test_cache_marks() -> None:
    """At most four marks are sent, the last ones; the automatic one moves to the last block."""
    turns = [
        {"role": "system", "content": [text("s", cache_control=LONG)]},
        {
            "role": "user",
            "content": [text("a", cache_control=CACHE), text("b", prompt_cache_breakpoint={"mode": "explicit"})],
        },
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
    ]
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": CACHE}
    body, report = render({"messages": turns, "tools": [tool], "cache_control": CACHE})
    assert "cache_control" not in body["tools"][0]
    assert body["system"] == [text("s", cache_control=LONG)]
    assert body["messages"][0]["content"] == [text("a", cache_control=CACHE), text("b", cache_control=CACHE)]
    assert body["messages"][2]["content"] == [text("d", cache_control=CACHE)]
    assert report.changed == (("cache_control", "only the last 4 breakpoints sent, 1 left out"),)


def test_no_mark_lives_longer_than_one_before_it() -> None:
    """Anthropic refuses an hour behind five minutes: what is before the hour is kept as long."""
    turns = [
        {"role": "system", "content": [text("s", cache_control=CACHE)]},
        {
            "role": "user",
            "content": [text("a", cache_control=CACHE), text("b", cache_control=LONG), text("c", cache_control=CACHE)],
        },
    ]
    body, report = render({"messages": turns})
    told = [*body["system"], *body["messages"][0]["content"]]
    assert [block["cache_control"] for block in told] == [LONG, LONG, LONG, CACHE]
    assert [path for path, _ in report.changed] == ["cache_control.ttl"]


@pytest.mark.parametrize("mark", [None, "x", {"ttl": 1}])
def test_a_mark_that_is_none(mark: Any) -> None:
    """A tool of Anthropic's own goes as the caller wrote it."""
    tool = {"type": "bash_20250124", "name": "bash", "cache_control": mark}
    assert render({"tools": [tool], "cache_control": LONG})[0]["tools"][0]["name"] == "bash"


def test_the_automatic_mark_passes_over_blank_texts() -> None:
    """It goes to the last block that is sent."""
    parts = [text("a"), text("\n")]
    body, report = render({"messages": [{"role": "user", "content": parts}], "cache_control": CACHE})
    assert body["messages"][0]["content"] == [text("a", cache_control=CACHE)]
    assert (report.dropped, report.changed) == ((), ())


def test_marks_inside_results_count() -> None:
    """A mark on a part of a tool's result is one of the four."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "cache_control": CACHE}
    parts = [text(word, cache_control=CACHE) for word in "abcd"]
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": parts},
    ]
    body, report = render({"messages": turns})
    assert "cache_control" not in body["messages"][1]["content"][0]
    result = body["messages"][2]["content"][0]
    assert [part.get("cache_control") for part in result["content"]] == [CACHE, CACHE, CACHE, None]
    assert (result["cache_control"], len(report.changed)) == (CACHE, 1)


def test_raw_json_is_read() -> None:
    """What the codec leaves as text is read, at any depth; everything else stays."""
    value = {"a": [orjson.Fragment(b'{"b":1}'), 2], "c": {"d": orjson.Fragment(b"[3]")}, "e": "x"}
    assert thaw(value) == {"a": [{"b": 1}, 2], "c": {"d": [3]}, "e": "x"}
