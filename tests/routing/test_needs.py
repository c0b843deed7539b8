# SPDX-License-Identifier: Apache-2.0
"""What a request needs, read from it."""

from typing import Any

import pytest

from support.builders import make_assistant_calls, make_function, make_message, make_request, make_tool_result
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.message_pb2 import ChatMessage, ContentPart
from trunkline_server.routing.needs import PARAMETERS, read_needs, sent_parameters


def message_of(*parts: ContentPart) -> ChatMessage:
    """A user message of the parts."""
    message = ChatMessage()
    message.user.content.extend(parts)
    return message


IMAGE = ContentPart(image_url={"url": "https://acme.test/a.png"})
SOUND = ContentPart(input_audio={"data": "", "format": "wav"})


@pytest.mark.parametrize(
    ("messages", "reads", "images"),
    [
        pytest.param([make_message()], set(), 0, id="text"),
        pytest.param([make_assistant_calls("a"), make_tool_result("a")], set(), 0, id="calls"),
        pytest.param([ChatMessage()], set(), 0, id="an empty message"),
        pytest.param([message_of(IMAGE, IMAGE)], {"image"}, 2, id="images"),
        pytest.param([message_of(SOUND), message_of(IMAGE)], {"audio", "image"}, 1, id="images and sound"),
        pytest.param([message_of(ContentPart(file={}), ContentPart(video_url={}))], {"file", "video"}, 0, id="others"),
    ],
)
def test_modalities_read(messages: list[ChatMessage], reads: set[str], images: int) -> None:
    """Parts of every message count, whichever is asked for first."""
    assert read_needs(make_request(messages=messages)).reads == reads
    assert read_needs(make_request(messages=messages)).images == images


def test_fields() -> None:
    """Every field that is set counts, a parameter or not."""
    assert read_needs(make_request(seed=1, user="ann")).fields == {"messages", "model", "seed", "user"}


def test_modalities_written() -> None:
    """Text is what every model writes."""
    assert read_needs(make_request(modalities=["text", "audio", "image"])).writes == {"audio", "image"}


@pytest.mark.parametrize(("size", "estimate", "least"), [(1, 1, 0), (4, 1, 0), (5, 2, 0), (8, 2, 1), (4000, 1000, 500)])
def test_the_prompt_is_counted(size: int, estimate: int, least: int) -> None:
    """A token for every four bytes by the estimate, for every eight by the count that excludes."""
    needs = read_needs(make_request("x" * size))
    assert (needs.prompt_tokens, needs.least_prompt_tokens) == (estimate, least)


@pytest.mark.parametrize(
    ("text", "most", "context", "fits"),
    [
        pytest.param("x" * 400, None, 100, True, id="just"),
        pytest.param("x" * 401, None, 100, False, id="not"),
        pytest.param("x" * 200, 50, 100, True, id="just with an answer"),
        pytest.param("x" * 200, 51, 100, False, id="not with an answer"),
        pytest.param("", 100, 100, True, id="an answer alone"),
        pytest.param("x" * 4000, 10, 10**6, True, id="by far"),
    ],
)
def test_fitting(text: str, most: int | None, context: int, fits: bool) -> None:
    """Prompt, by the estimate, and answer together."""
    assert read_needs(make_request(text, max_tokens=most)).fits(context) is fits


def test_a_picture_has_no_length() -> None:
    """The bytes of a picture are not the bytes of a prompt."""
    picture = ContentPart(image_url={"url": "data:image/png;base64," + "A" * 100_000})
    assert read_needs(make_request(messages=[message_of(picture)])).fits(10)


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({}, None),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8}, 8),
        ({"max_tokens": 7, "max_completion_tokens": 8}, 8),
    ],
)
def test_the_length_of_the_answer(fields: dict[str, int], most: int | None) -> None:
    """The newer name wins."""
    assert read_needs(make_request(**fields)).most_tokens == most


@pytest.mark.parametrize(
    ("asked", "tier"),
    [
        (None, None),
        ("auto", None),
        ("default", None),
        ("scale", None),
        ("priority", "priority"),
        ("fast", "priority"),
        ("flex", "flex"),
    ],
)
def test_the_service_tier(asked: str | None, tier: str | None) -> None:
    """`fast` is an alias of `priority`; words that name no tier of an endpoint ask for none."""
    assert read_needs(make_request(service_tier=asked)).tier == tier


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"seed": 1, "temperature": 0.0, "user": "u"}, {"seed", "temperature"}),
        ({"tools": [make_function()], "n": 2, "stream": True}, {"tools"}),
        ({"reasoning": {}, "logit_bias": {"1": 2.0}, "stop": ["x"]}, {"reasoning", "logit_bias", "stop"}),
        ({}, set()),
    ],
)
def test_parameters_sent(fields: dict[str, Any], sent: set[str]) -> None:
    """Only what an endpoint may lack counts, not what every request has; 0 is a value."""
    assert sent_parameters(make_request(**fields)) == sent
    assert read_needs(make_request(**fields)).parameters == sent


def test_the_vocabulary_is_the_request_s() -> None:
    """Every word of it is a field of the request."""
    assert set(ChatCompletionRequest.DESCRIPTOR.fields_by_name) > PARAMETERS
