# SPDX-License-Identifier: Apache-2.0
"""Forms of answers that a server does not take."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.dialects.schemas import BY_INSTRUCTION, instruction

CODEC = make_codec()
DIALECT = OpenAiChat(CODEC)
HELLO = {"role": "user", "content": "hi"}
OBJECT = {"type": "json_object"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
CHANGED = (("response_format", BY_INSTRUCTION),)


def render(form: dict[str, Any], forms: frozenset[str] | None, *instructions: dict[str, Any]) -> RenderedRequest:
    """The request for a form that a provider gets which takes those forms."""
    body = {"messages": [*instructions, HELLO], "response_format": form}
    request = CODEC.decode(ChatCompletionRequest, orjson.loads(orjson.dumps(body)))
    return DIALECT.render_request(request, make_endpoint(make_provider("plain", forms=forms)), stream=False)


@pytest.mark.parametrize(
    ("form", "forms", "told"),
    [
        (SCHEMA, frozenset({"json_object"}), OBJECT),
        (SCHEMA, frozenset(), None),
        (OBJECT, frozenset({"json_schema"}), None),
    ],
)
def test_by_instruction(form: dict[str, Any], forms: frozenset[str], told: dict[str, Any] | None) -> None:
    """A form that the provider does not take is asked for in words, with `json_object` where it takes that; the caller hears of it."""
    rendered = render(form, forms)
    body = orjson.loads(rendered.body)
    assert body.get("response_format") == told
    assert body["messages"] == [{"role": "system", "content": instruction(form)}, HELLO]
    assert rendered.changed == CHANGED


@pytest.mark.parametrize(
    ("form", "forms"),
    [
        (SCHEMA, None),
        (SCHEMA, frozenset({"json_schema"})),
        (OBJECT, frozenset({"json_object"})),
        ({"type": "text"}, frozenset()),
    ],
)
def test_forms_that_are_taken(form: dict[str, Any], forms: frozenset[str] | None) -> None:
    """A form that the provider takes is sent as it is."""
    rendered = render(form, forms)
    body = orjson.loads(rendered.body)
    assert (body["response_format"], body["messages"], rendered.changed) == (form, [HELLO], ())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Be brief.", f"Be brief.\n\n{instruction(SCHEMA)}"),
        (
            [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
            [*({"type": "text", "text": text} for text in ("Be brief.", "Be kind.", instruction(SCHEMA)))],
        ),
    ],
)
def test_there_is_one_message_of_instructions(content: Any, expected: Any) -> None:
    """The words follow the caller's own instructions in their message: many servers take a single one."""
    rendered = render(SCHEMA, frozenset({"json_object"}), {"role": "system", "content": content})
    assert orjson.loads(rendered.body)["messages"] == [{"role": "system", "content": expected}, HELLO]


def test_a_form_that_no_words_ask_for() -> None:
    """A grammar cannot be told in words; it is left out and reported."""
    rendered = render({"type": "grammar", "grammar": "root ::= x"}, frozenset({"json_object"}))
    assert "response_format" not in orjson.loads(rendered.body)
    assert (rendered.dropped, rendered.changed) == (("response_format",), ())
