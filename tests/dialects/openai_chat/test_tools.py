# SPDX-License-Identifier: Apache-2.0
"""Tools as a plain server of chat completions gets them."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.openai_chat import OpenAiChat

CODEC = make_codec()
DIALECT = OpenAiChat(CODEC)
FUNCTION = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"type": "custom", "custom": {"name": "apply_patch"}}


def render(body: dict[str, Any], **row: Any) -> RenderedRequest:
    """The request that a provider with such a row gets."""
    request = {"messages": [{"role": "user", "content": "hi"}], **body}
    parsed = CODEC.decode(ChatCompletionRequest, orjson.loads(orjson.dumps(request)))
    return DIALECT.render_request(parsed, make_endpoint(make_provider("plain", **row)), stream=False)


@pytest.mark.parametrize(
    ("tool", "row", "dropped"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, {}, ("tools.web_search_20250305",)),
        ({"type": "bash_20250124", "name": "bash"}, {}, ("tools.bash_20250124",)),
        ({"type": "web_search", "external_web_access": True}, {}, ("tools.web_search",)),
        ({"type": "local_shell"}, {}, ("tools.local_shell",)),
        ({"type": "browser_search"}, {}, ("tools.browser_search",)),
        ({"type": "browser_search"}, {"tool_types": frozenset({"browser_search"})}, ()),
    ],
)
def test_types_of_tools(tool: dict[str, Any], row: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """Functions, custom tools and the types of the row are sent; others, which would be refused, are left out and reported."""
    rendered = render({"tools": [FUNCTION, tool, CUSTOM]}, **row)
    kept = [FUNCTION, CUSTOM] if dropped else [FUNCTION, tool, CUSTOM]
    assert orjson.loads(rendered.body)["tools"] == kept
    assert rendered.dropped == dropped


def test_tools_of_any_form() -> None:
    """Nobody checks tools of unknown types: their names may be anything."""
    rendered = render({"tools": [{"type": "local_shell", "name": ["a"]}, FUNCTION], "tool_choice": "auto"})
    assert orjson.loads(rendered.body)["tools"] == [FUNCTION]


def test_keys_of_anthropics() -> None:
    """What only Anthropic knows of a function is left out and reported."""
    tool = {**FUNCTION, "defer_loading": False, "input_examples": [{}], "allowed_callers": ["direct"]}
    rendered = render({"tools": [{**tool, "eager_input_streaming": True}]})
    assert orjson.loads(rendered.body)["tools"] == [FUNCTION]
    nested = render({"tools": [{"type": "function", "function": {"name": "f", "defer_loading": True}}]})
    assert (orjson.loads(nested.body)["tools"], nested.dropped) == ([FUNCTION], ("tools.function.defer_loading",))
    assert set(rendered.dropped) == {
        "tools.defer_loading",
        "tools.input_examples",
        "tools.allowed_callers",
        "tools.eager_input_streaming",
    }


def test_no_tool_is_left() -> None:
    """Nothing is said of tools where there are none: OpenAI refuses a choice without tools."""
    rendered = render({"tools": [{"type": "local_shell"}], "tool_choice": "auto", "parallel_tool_calls": False})
    assert orjson.loads(rendered.body).keys() == {"messages", "model"}
    assert rendered.dropped == ("tools.local_shell", "tool_choice", "parallel_tool_calls")


@pytest.mark.parametrize(
    ("choice", "dropped"),
    [
        ({"type": "local_shell"}, ("tools.local_shell", "tool_choice")),
        ({"type": "function", "function": {"name": "bash"}}, ("tools.local_shell", "tool_choice")),
        ({"type": "function", "function": {"name": "f"}}, ("tools.local_shell",)),
        ("required", ("tools.local_shell",)),
    ],
)
def test_the_choice(choice: Any, dropped: tuple[str, ...]) -> None:
    """The choice of a tool that was left out is left out with it."""
    rendered = render({"tools": [FUNCTION, {"type": "local_shell", "name": "bash"}], "tool_choice": choice})
    assert ("tool_choice" in orjson.loads(rendered.body)) == ("tool_choice" not in dropped)
    assert rendered.dropped == dropped


def test_a_server_with_extensions_gets_every_tool() -> None:
    """An upstream that takes all extensions knows what to do with them."""
    tools = [FUNCTION, {"type": "bash_20250124", "name": "bash"}]
    assert orjson.loads(render({"tools": tools}, takes_extensions=True).body)["tools"] == tools
