# SPDX-License-Identifier: Apache-2.0
"""What the makers of Bedrock's models differ in."""

from typing import Any

import pytest

from support.builders import make_endpoint
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.bedrock_converse.models import (
    CLAUDE,
    NOVA,
    OPEN_AI,
    OTHERS,
    Bounds,
    Maker,
    More,
    maker_of,
    render_more,
)


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("anthropic.claude-opus-4-5-20251101-v1:0", CLAUDE),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", CLAUDE),
        ("us.amazon.nova-2-lite-v1:0", NOVA),
        ("amazon.nova-pro-v1:0", Maker(top_k=("inferenceConfig", "topK"))),
        ("openai.gpt-oss-120b-1:0", OPEN_AI),
        ("meta.llama3-3-70b-instruct-v1:0", OTHERS),
        ("arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc", OTHERS),
    ],
)
def test_makers(model: str, maker: Maker) -> None:
    """The id tells the maker, with a region before it too."""
    assert maker_of(model) == maker


def more_of(model: str, body: dict[str, Any], **bounds: bool) -> tuple[More, Report]:
    """What a request says at a model, and what was reported."""
    report = Report()
    endpoint = make_endpoint(upstream_model=model, max_completion_tokens=64000)
    return render_more(body, endpoint, maker_of(model), report, Bounds(**bounds)), report


@pytest.mark.parametrize(
    ("model", "body", "fields", "thinks"),
    [
        ("anthropic.claude-sonnet-4-5-v1:0", {"top_k": 5}, {"top_k": 5}, False),
        ("amazon.nova-pro-v1:0", {"top_k": 5}, {"inferenceConfig": {"topK": 5}}, False),
        ("meta.llama3-v1:0", {"top_k": 5}, {}, False),
        (
            "anthropic.claude-sonnet-4-5-v1:0",
            {"reasoning": {"max_tokens": 2000}, "max_tokens": 9000},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            True,
        ),
        (
            "amazon.nova-2-lite-v1:0",
            {"reasoning": {"effort": "minimal"}},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
            True,
        ),
        ("openai.gpt-oss-20b-1:0", {"reasoning_effort": "high"}, {"reasoning_effort": "high"}, True),
        ("openai.gpt-oss-20b-1:0", {"reasoning": {"enabled": False}}, {}, False),
        ("meta.llama3-v1:0", {"reasoning": {"effort": "high"}}, {}, False),
    ],
)
def test_fields(model: str, body: dict[str, Any], fields: dict[str, Any], thinks: bool) -> None:
    """Each maker's models are told in their maker's words."""
    more, _ = more_of(model, body)
    assert (more.fields, more.thinks) == (fields, thinks)


@pytest.mark.parametrize(
    ("model", "body", "dropped", "changed"),
    [
        ("meta.llama3-v1:0", {"top_k": 5, "reasoning": {"effort": "high"}, "verbosity": "low"},
         ("top_k", "reasoning", "verbosity"), []),
        ("meta.llama3-v1:0", {"temperature": 1.5}, (), ["temperature"]),
        ("amazon.nova-2-lite-v1:0", {"reasoning": {"max_tokens": 2000}, "max_tokens": 4000}, (), ["reasoning.max_tokens"]),
        ("amazon.nova-2-lite-v1:0", {"reasoning": {"effort": "xhigh"}}, (), ["reasoning.effort"]),
        ("anthropic.claude-sonnet-4-5-v1:0", {"temperature": 0.2, "top_p": 0.9}, ("top_p",), []),
    ],
)  # fmt: skip
def test_reports(model: str, body: dict[str, Any], dropped: tuple[str, ...], changed: list[str]) -> None:
    """What a maker's models cannot do is dropped and reported; what is done otherwise is told."""
    _, report = more_of(model, body)
    assert (report.dropped, [path for path, _ in report.changed]) == (dropped, changed)


@pytest.mark.parametrize(
    ("body", "limit"),
    [({}, None), ({"max_tokens": 7}, 7), ({"reasoning": {"effort": "high"}}, 64000)],
)
def test_limits(body: dict[str, Any], limit: int | None) -> None:
    """Claude's thinking needs a limit to fit into; else an unset one is Bedrock's to choose."""
    assert more_of("anthropic.claude-sonnet-4-5-v1:0", body)[0].max_tokens == limit


def test_a_forced_tool() -> None:
    """Claude does not think beside one."""
    more, report = more_of("anthropic.claude-sonnet-4-5-v1:0", {"reasoning": {"effort": "high"}}, forces_tool=True)
    assert (more.thinks, [path for path, _ in report.changed]) == (False, ["reasoning"])


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("anthropic.claude-sonnet-4-5-v1:0", False),
        ("anthropic.claude-opus-4-7", True),
        ("amazon.nova-2-lite-v1:0", True),
    ],
)
def test_a_turn_under_way_without_thinking(model: str, thinks: bool) -> None:
    """Claude with a budget cannot begin to think in the middle of it; without thinking it samples as it is told, and has the limit it had."""
    body = {"reasoning": {"effort": "high"}, "temperature": 0.5}
    more, report = more_of(model, body, may_think=False)
    assert (more.thinks, "reasoning" in dict(report.changed)) == (thinks, not thinks)
    assert thinks or (more.sampling, more.max_tokens) == ({"temperature": 0.5}, None)
