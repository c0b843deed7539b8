# SPDX-License-Identifier: Apache-2.0
"""Content parts and annotations, each way."""

from typing import Any

import pytest

from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_responses.parts import (
    parse_annotation,
    parse_part,
    render_annotation,
    render_part,
    unknown_keys,
)
from trunkline_server.jsonshape import ShapeFaults

MARK = {"prompt_cache_breakpoint": {"mode": "explicit"}}
SOUND = {"input_audio": {"data": "AAAA", "format": "wav"}}
BOTH_WAYS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("text", {"type": "text", "text": "hi"}, {"type": "input_text", "text": "hi"}),
    ("a marked text", {"type": "text", "text": "hi", **MARK}, {"type": "input_text", "text": "hi", **MARK}),
    (
        "an image",
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}},
        {"type": "input_image", "image_url": "https://a.test/b.png"},
    ),
    (
        "an image with detail",
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
    ),
    ("sound", {"type": "input_audio", **SOUND}, {"type": "input_audio", **SOUND}),
    (
        "a file as data",
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
    ),
    (
        "a file by URL",
        {"type": "file", "file": {"file_data": "https://a.test/b.pdf"}},
        {"type": "input_file", "file_url": "https://a.test/b.pdf"},
    ),
    ("a file by id", {"type": "file", "file": {"file_id": "f1"}}, {"type": "input_file", "file_id": "f1"}),
    (
        "video",
        {"type": "video_url", "video_url": {"url": "https://a.test/b.mp4"}},
        {"type": "input_video", "video_url": "https://a.test/b.mp4"},
    ),
]


@pytest.mark.parametrize(("chat", "own"), [case[1:] for case in BOTH_WAYS], ids=[case[0] for case in BOTH_WAYS])
def test_both_ways(chat: dict[str, Any], own: dict[str, Any]) -> None:
    """A part is written in this language's words, and read back as it was."""
    assert render_part(chat, takes_video=True) == own
    assert parse_part(own, "input[0].content[0]") == chat


def test_a_refusal_of_a_user_is_text() -> None:
    """What only the model can say is text elsewhere."""
    assert render_part({"type": "refusal", "refusal": "no"}) == {"type": "input_text", "text": "no"}


def test_video_is_refused_where_nobody_takes_it() -> None:
    """OpenAI takes no video, and to leave content out would change the question."""
    with pytest.raises(GatewayError) as caught:
        render_part({"type": "video_url", "video_url": {"url": "https://a.test/b.mp4"}})
    assert caught.value.faults[0].field == "messages.content.video_url"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "output_text", "text": "a"}, {"type": "text", "text": "a"}),
        ({"type": "text", "text": "a"}, {"type": "text", "text": "a"}),
        ({"type": "refusal", "refusal": "no"}, {"type": "refusal", "refusal": "no"}),
        (
            {"type": "input_text", "text": "a", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        ),
    ],
)
def test_parse(part: dict[str, Any], expected: dict[str, Any]) -> None:
    """Parts of other messages, and OpenRouter's marks, are read too."""
    assert parse_part(part, "p") == expected


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("text", "p"),
        ({"type": "input_magic"}, "p.type"),
        ({"type": None}, "p.type"),
        ({"type": ["input_text"]}, "p.type"),
        ({"type": "input_image", "file_id": "file-1"}, "p.image_url"),
    ],
)
def test_faults(part: object, path: str) -> None:
    """What is no part, or names a file that the gateway does not hold, is a fault at its place."""
    with pytest.raises(ShapeFaults) as caught:
        parse_part(part, "p")
    assert [fault.path for fault in caught.value.faults] == [path]


def test_unknown_keys() -> None:
    """Keys without a place in this language are named."""
    assert unknown_keys({"type": "text", "text": "a", "cache_control": {}, "mine": 1}) == ["cache_control", "mine"]


CITED = {"url": "https://a.test", "title": "A", "start_index": 1, "end_index": 3}


def test_citations_both_ways() -> None:
    """A citation is flat here and nested in chat completions."""
    nested = {"type": "url_citation", "url_citation": CITED}
    assert render_annotation(nested) == {"type": "url_citation", **CITED}
    assert parse_annotation({"type": "url_citation", **CITED}) == nested


def test_a_citation_without_places() -> None:
    """OpenAI's clients want title and places always."""
    rendered = render_annotation({"type": "url_citation", "url_citation": {"url": "u"}})
    assert rendered == {"type": "url_citation", "url": "u", "title": "", "start_index": 0, "end_index": 0}


def test_other_annotations_stay() -> None:
    """A citation of a file travels as it is; the gateway's own kind has no place here."""
    cited = {"type": "file_citation", "file_id": "f", "index": 1}
    assert render_annotation(cited) == cited == parse_annotation(cited)
    assert render_annotation({"type": "file", "file": {"hash": "h"}}) is None


def test_places_count_from_the_beginning_of_the_content() -> None:
    """The second text of an answer is not the beginning of its content."""
    parsed = parse_annotation({"type": "url_citation", **CITED}, offset=10)
    assert parsed["url_citation"] == {**CITED, "start_index": 11, "end_index": 13}
