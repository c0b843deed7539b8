# SPDX-License-Identifier: Apache-2.0
"""The knobs of a request as generationConfig."""

from typing import Any

import orjson
import pytest

from support.gemini_wire import OLDER, render

SCHEMA = {"type": "object", "additionalProperties": False, "properties": {"a": {"type": ["string", "null"]}}}
FORM = {"type": "json_schema", "json_schema": {"name": "s", "description": "A thing.", "schema": SCHEMA}}
FUNCTIONS = [{"type": "function", "function": {"name": "f"}}]
PNG = "data:image/png;base64,AAAA"
Changed = tuple[tuple[str, str], ...]


def pictures(*details: str | None) -> list[dict[str, Any]]:
    """A message with a picture for each detail."""
    images = [{"url": PNG} if detail is None else {"url": PNG, "detail": detail} for detail in details]
    return [{"role": "user", "content": [{"type": "image_url", "image_url": image} for image in images]}]


CASES: list[tuple[dict[str, Any], object, tuple[str, ...], Changed]] = [
    ({}, None, (), ()),
    (
        {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "presence_penalty": 0.1, "frequency_penalty": -0.1},
        {"temperature": 0.5, "topP": 0.9, "presencePenalty": 0.1, "frequencyPenalty": -0.1, "topK": 40},
        (),
        (),
    ),
    ({"top_k": 0}, None, (), (("top_k", "left out, since 0 switches it off"),)),
    ({"max_tokens": 10}, {"maxOutputTokens": 10}, (), ()),
    ({"max_tokens": 10, "max_completion_tokens": 20}, {"maxOutputTokens": 20}, (), ()),
    ({"stop": "a"}, {"stopSequences": ["a"]}, (), ()),
    ({"stop": ["a", "b"]}, {"stopSequences": ["a", "b"]}, (), ()),
    ({"n": 3}, {"candidateCount": 3}, (), ()),
    ({"n": 20}, {"candidateCount": 8}, (), (("n", "clamped to 8"),)),
    ({"seed": -5}, {"seed": -5}, (), ()),
    ({"seed": 2**40 + 3}, {"seed": 3}, (), (("seed", "reduced to 3"),)),
    ({"logprobs": True, "top_logprobs": 2}, {"responseLogprobs": True, "logprobs": 2}, (), ()),
    ({"top_logprobs": 2}, {"logprobs": 2, "responseLogprobs": True}, (), ()),
    ({"logprobs": False}, {"responseLogprobs": False}, (), ()),
    ({"response_format": {"type": "text"}}, None, (), ()),
    ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}, (), ()),
    (
        {"response_format": FORM, "tools": FUNCTIONS},
        {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        (),
        (),
    ),
    ({"response_format": {"type": "grammar", "grammar": "x"}}, None, ("response_format",), ()),
    ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}, (), ()),
    (
        {"audio": {"voice": "Kore", "format": "mp3", "x": 1}},
        {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}},
        ("audio.x",),
        (("audio", "answered in 16-bit PCM, the provider's only format"),),
    ),
    (
        {"image_config": {"aspect_ratio": "16:9", "image_size": "2K", "x": 1}},
        {"imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}},
        ("image_config.x",),
        (),
    ),
    ({"image_config": {"x": 1}}, None, ("image_config.x",), ()),
    ({"messages": pictures("low", None, "low")}, {"mediaResolution": "MEDIA_RESOLUTION_LOW"}, (), ()),
    ({"messages": pictures("high")}, {"mediaResolution": "MEDIA_RESOLUTION_HIGH"}, (), ()),
    ({"messages": pictures("auto")}, None, (), ()),
    ({"messages": pictures("low", "high")}, None, ("messages.content.image_url.detail",), ()),
    ({"messages": pictures("original")}, None, ("messages.content.image_url.detail",), ()),
    (
        {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "topK": 1}, "top_k": 2},
        {"mediaResolution": "MEDIA_RESOLUTION_LOW", "topK": 2},
        (),
        (),
    ),
    ({"generationConfig": 3}, None, ("generationConfig",), ()),
]


@pytest.mark.parametrize(("body", "expected", "dropped", "changed"), CASES)
def test_generation(body: dict[str, Any], expected: object, dropped: tuple[str, ...], changed: Changed) -> None:
    """Each knob has its place; what is cut, changed or lost is said."""
    rendered = render(body)
    assert orjson.loads(rendered.body).get("generationConfig") == expected
    assert (rendered.dropped, rendered.changed) == (dropped, changed)


def test_a_count_of_no_log_probabilities() -> None:
    """Alternatives of tokens that are not wanted cannot be."""
    rendered = render({"logprobs": False, "top_logprobs": 2})
    assert orjson.loads(rendered.body)["generationConfig"] == {"responseLogprobs": False}
    assert rendered.dropped == ("top_logprobs",)


def test_a_form_beside_functions_in_older_models() -> None:
    """Before generation 3 Google takes no form beside functions, so it is asked for in words."""
    rendered = render({"response_format": FORM, "tools": FUNCTIONS}, OLDER)
    body = orjson.loads(rendered.body)
    assert "generationConfig" not in body
    assert '"additionalProperties":false' in body["systemInstruction"]["parts"][-1]["text"]
    assert rendered.changed == (("response_format", "sent as an instruction"),)
