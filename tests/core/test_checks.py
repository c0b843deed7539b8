# SPDX-License-Identifier: Apache-2.0
"""Requests that contradict themselves, and requests for what is not served."""

from typing import Any

import pytest

from support.builders import (
    make_assistant_calls,
    make_function,
    make_message,
    make_request,
    make_tool_result,
)
from trunkline.jsonshape.v1 import options_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest, ReasoningConfig
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.plugin_pb2 import Plugin
from trunkline.v1.tool_pb2 import (
    FunctionCallChoice,
    FunctionDefinition,
    FunctionName,
    NamedToolChoice,
    Tool,
    ToolChoice,
    WebSearchShorthand,
)
from trunkline_server.core.checks import check_request
from trunkline_server.core.errors import GatewayError

ROUTER_PLUGINS = ["auto_router", "auto_beta_router"]
PLUGINS = [field.name for field in Plugin.DESCRIPTOR.oneofs_by_name["plugin"].fields]
SERVER_TOOLS = [
    field.name for field in Tool.DESCRIPTOR.oneofs_by_name["tool"].fields if field.name not in ("function", "unknown")
]


def make_plugin(name: str, *, enabled: bool | None = None) -> Plugin:
    """A plugin without settings, by the name of its field."""
    plugin = Plugin(enabled=enabled)
    getattr(plugin, name).SetInParent()
    return plugin


def make_server_tool(name: str) -> Tool:
    """A server tool without settings, by the name of its field."""
    tool = Tool()
    getattr(tool, name).SetInParent()
    return tool


def choose(name: str, *, kind: str = "function") -> ToolChoice:
    """The choice of one tool."""
    return ToolChoice(named=NamedToolChoice(type=kind, function=FunctionName(name=name)))


def find_faults(request: ChatCompletionRequest) -> list[str]:
    """The fields that are told to be at fault."""
    try:
        check_request(request)
    except GatewayError as error:
        return [fault.field for fault in error.faults]
    return []


def first_tag(name: str, message: type[Plugin] | type[Tool]) -> str:
    """How JSON names a variant."""
    return str(message.DESCRIPTOR.fields_by_name[name].GetOptions().Extensions[options_pb2.field].tags[0])


def refuse(request: ChatCompletionRequest) -> GatewayError:
    """The error with which a request is refused."""
    with pytest.raises(GatewayError) as caught:
        check_request(request)
    return caught.value


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="plain"),
        pytest.param({"reasoning_effort": "high"}, id="effort by shorthand"),
        pytest.param({"reasoning_effort": "high", "reasoning": ReasoningConfig(effort="high")}, id="same effort twice"),
        pytest.param({"reasoning_effort": "high", "reasoning": ReasoningConfig(exclude=True)}, id="effort elsewhere"),
        pytest.param({"reasoning": ReasoningConfig(max_tokens=100)}, id="budget alone"),
        pytest.param({"tools": [make_function("a"), make_function("b")], "tool_choice": choose("b")}, id="chosen tool"),
        pytest.param({"tool_choice": ToolChoice(mode="auto")}, id="auto needs no tools"),
        pytest.param({"tools": [make_function()], "tool_choice": ToolChoice(mode="required")}, id="required"),
        pytest.param({"tools": [Tool(unknown='{"type":"code_execution"}')]}, id="a tool of the provider's"),
        pytest.param(
            {"tools": [Tool(unknown='{"type":"custom","description":"like \\"openrouter:bash\\""}')]}, id="a mention"
        ),
        pytest.param({"plugins": [make_plugin("web", enabled=False)]}, id="a plugin switched off"),
        pytest.param({"transforms": []}, id="no transforms"),
        pytest.param(
            {
                "functions": [FunctionDefinition(name="f")],
                "function_call": FunctionCallChoice(function=FunctionName(name="f")),
            },
            id="legacy function",
        ),
        pytest.param(
            {
                "messages": [
                    make_message("hi"),
                    make_assistant_calls("a", "b"),
                    make_tool_result("b"),
                    make_tool_result("a"),
                    make_message("and?"),
                    make_assistant_calls("c"),
                    make_tool_result("c"),
                ]
            },
            id="answered calls",
        ),
    ],
)
def test_a_sound_request_passes(fields: dict[str, Any]) -> None:
    """A request whose parts agree, and which asks for nothing that is not served, is let through."""
    check_request(make_request(**fields))


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_switched_off_passes(name: str) -> None:
    """`enabled: false` asks for nothing."""
    check_request(make_request(plugins=[make_plugin(name, enabled=False)]))


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        pytest.param(
            {"reasoning_effort": "high", "reasoning": ReasoningConfig(effort="low")}, ["reasoning_effort"], id="efforts"
        ),
        pytest.param({"reasoning": ReasoningConfig(effort="low", max_tokens=9)}, ["reasoning"], id="effort and budget"),
        pytest.param(
            {"reasoning_effort": "low", "reasoning": ReasoningConfig(max_tokens=9)},
            ["reasoning_effort"],
            id="shorthand and budget",
        ),
        pytest.param(
            {"tools": [make_function("a"), make_function("b"), make_function("a")]},
            ["tools[2].function.name"],
            id="name",
        ),
        pytest.param(
            {"tools": [make_function("a")], "tool_choice": choose("b")}, ["tool_choice.function.name"], id="choice"
        ),
        pytest.param({"tool_choice": ToolChoice(mode="required")}, ["tool_choice"], id="required without tools"),
        pytest.param(
            {"functions": [FunctionDefinition(name="f"), FunctionDefinition(name="f")]},
            ["functions[1].name"],
            id="legacy",
        ),
        pytest.param(
            {"function_call": FunctionCallChoice(function=FunctionName(name="f"))},
            ["function_call.name"],
            id="legacy choice",
        ),
        pytest.param({"messages": [make_tool_result("x")]}, ["messages[0].tool_call_id"], id="result of nothing"),
        pytest.param(
            {"messages": [make_message(), make_tool_result("a"), make_assistant_calls("a")]},
            ["messages[1].tool_call_id"],
            id="result before its call",
        ),
        pytest.param(
            {
                "reasoning_effort": "high",
                "reasoning": ReasoningConfig(effort="low"),
                "messages": [make_tool_result("x"), make_tool_result("y")],
            },
            ["reasoning_effort", "messages[0].tool_call_id", "messages[1].tool_call_id"],
            id="all at once",
        ),
    ],
)
def test_a_contradiction_is_refused(fields: dict[str, Any], places: list[str]) -> None:
    """Contradictions are told all together, each with its place; the message tells the first."""
    error = refuse(make_request(**fields))
    assert error.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert [fault.field for fault in error.faults] == places
    assert f"{places[0]}: {error.faults[0].description}" in error.message


def test_faults_are_bounded() -> None:
    """A request full of contradictions is answered with the first twenty."""
    error = refuse(make_request(messages=[make_tool_result("x")] * 500))
    assert [fault.field for fault in error.faults] == [f"messages[{index}].tool_call_id" for index in range(20)]


@pytest.mark.parametrize("enabled", [None, True])
@pytest.mark.parametrize("name", ROUTER_PLUGINS)
def test_settings_of_the_auto_router_pass(name: str, enabled: bool | None) -> None:
    """They are read where the model is `openrouter/auto`, and change nothing elsewhere."""
    check_request(make_request(plugins=[make_plugin(name, enabled=enabled)]))


@pytest.mark.parametrize("enabled", [None, True])
@pytest.mark.parametrize("name", [name for name in PLUGINS if name not in ROUTER_PLUGINS])
def test_every_plugin_is_named(name: str, enabled: bool | None) -> None:
    """Any other plugin that is on is refused by the id that JSON gives it."""
    error = refuse(make_request(plugins=[make_plugin("web", enabled=False), make_plugin(name, enabled=enabled)]))
    assert error.reason == ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE
    assert [fault.field for fault in error.faults] == ["plugins[1]"]
    assert f"`{first_tag(name, Plugin)}`" in error.message


@pytest.mark.parametrize("name", SERVER_TOOLS)
def test_every_server_tool_is_named(name: str) -> None:
    """A server tool is refused by the type that JSON gives it."""
    error = refuse(make_request(tools=[make_function(), make_server_tool(name)]))
    assert error.reason == ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE
    assert [fault.field for fault in error.faults] == ["tools[1]"]
    assert f"`{first_tag(name, Tool)}`" in error.message


@pytest.mark.parametrize(
    ("fields", "place", "name"),
    [
        pytest.param({"plugins": [make_plugin("web")]}, "plugins[0]", "web", id="plugin"),
        pytest.param({"plugins": [make_plugin("file_parser")]}, "plugins[0]", "file-parser", id="plugin with a stroke"),
        pytest.param({"tools": [make_server_tool("web_search")]}, "tools[0]", "openrouter:web_search", id="tool"),
        pytest.param(
            {"tools": [Tool(web_search_shorthand=WebSearchShorthand(received_type="web_search_preview"))]},
            "tools[0]",
            "web_search_preview",
            id="tool by another of its names",
        ),
        pytest.param(
            {"tools": [Tool(unknown='{"type":"openrouter:time_travel"}')]},
            "tools[0]",
            "openrouter:time_travel",
            id="server tool of the future",
        ),
        pytest.param(
            {"tools": [Tool(unknown='{"type":"\\u006fpenrouter:x"}')]}, "tools[0]", "openrouter:x", id="escaped type"
        ),
        pytest.param(
            {"tool_choice": choose("", kind="openrouter:bash")},
            "tool_choice",
            "openrouter:bash",
            id="chosen server tool",
        ),
        pytest.param({"transforms": ["middle-out"]}, "transforms", "context compression", id="transforms"),
    ],
)
def test_what_is_not_served_is_named(fields: dict[str, Any], place: str, name: str) -> None:
    """The caller learns what to leave out, by the name that they wrote."""
    error = refuse(make_request(**fields))
    assert error.reason == ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE
    assert error.faults[0].field == place
    assert name in error.faults[0].description
    assert name in error.message


def test_a_contradiction_comes_first() -> None:
    """A request that is wrong and asks for too much is told that it is wrong."""
    request = make_request(plugins=[make_plugin("web")], messages=[make_tool_result("x")])
    assert refuse(request).reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


@pytest.mark.parametrize("name", ["user", "session_id", "safety_identifier"])
@pytest.mark.parametrize("value", ["a\r\nb", "\0", "a\x7f"])
def test_labels_hold_no_control_characters(name: str, value: str) -> None:
    """Names that may stand in headers and logs are one line of text."""
    assert [fault.field for fault in refuse(make_request(**{name: value})).faults] == [name]


@pytest.mark.parametrize("metadata", [{"a\n": "b"}, {"a": "b\rc"}])
def test_metadata_holds_no_control_characters(metadata: dict[str, str]) -> None:
    """Neither as a key nor as a value."""
    assert [fault.field for fault in refuse(make_request(metadata=metadata)).faults] == ["metadata"]


def test_media_are_checked() -> None:
    """What core/media.py finds is told with the rest."""
    message = make_message()
    message.user.content.add().image_url.url = "file:///etc/passwd"
    assert [fault.field for fault in refuse(make_request(messages=[message])).faults] == [
        "messages[0].content[1].image_url.url"
    ]
