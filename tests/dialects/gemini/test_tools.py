# SPDX-License-Identifier: Apache-2.0
"""Tools as Google gets them."""

from typing import Any

import orjson
import pytest

from support.builders import make_endpoint, make_provider
from support.gemini_wire import CURRENT, DIALECT, HELLO, OLDER, read, render

LOOK = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "$defs": {"a": {}}, "b": 1.0}}
FUNCTION = {"type": "function", "function": LOOK}
DECLARED = {"name": "look", "description": "Looks.", "parametersJsonSchema": LOOK["parameters"]}


def tools(model: str = CURRENT, **body: Any) -> tuple[Any, tuple[str, ...]]:
    """The tools that Google gets, and what it does not get."""
    rendered = render(body, model)
    return orjson.loads(rendered.body).get("tools"), rendered.dropped


CASES: list[tuple[str, dict[str, Any], object, tuple[str, ...]]] = [
    ("a function", {"tools": [FUNCTION]}, [{"functionDeclarations": [DECLARED]}], ()),
    (
        "one without parameters",
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        [{"functionDeclarations": [{"name": "f"}]}],
        (),
    ),
    (
        "strict, marked, with a key of its own",
        {
            "tools": [
                {
                    "type": "function",
                    "function": {**LOOK, "strict": True, "x": 1},
                    "cache_control": {"type": "ephemeral"},
                }
            ]
        },
        [{"functionDeclarations": [DECLARED]}],
        ("tools.cache_control", "tools.function.strict", "tools.function.x"),
    ),
    ("legacy", {"functions": [LOOK]}, [{"functionDeclarations": [DECLARED]}], ()),
    (
        "Google's own",
        {"tools": [{"type": "code_execution"}, {"type": "google_search", "google_search": {"a": 1}, "x": 2}]},
        [{"codeExecution": {}}, {"googleSearch": {"a": 1}}],
        ("tools.google_search.x",),
    ),
    ("an unknown one", {"tools": [{"type": "custom", "custom": {}}]}, None, ("tools.custom",)),
    (
        "a server tool of the gateway's",
        {"tools": [{"type": "openrouter:datetime"}]},
        None,
        ("tools.openrouter:datetime",),
    ),
    (
        "web search in OpenAI's words",
        {"tools": [{"type": "web_search_preview", "search_context_size": "low"}, FUNCTION]},
        [{"functionDeclarations": [DECLARED]}, {"googleSearch": {}}],
        ("tools.web_search.search_context_size",),
    ),
    (
        "web_search_options",
        {"web_search_options": {"search_context_size": "low"}, "tools": [FUNCTION]},
        [{"functionDeclarations": [DECLARED]}, {"googleSearch": {}}],
        ("web_search_options.search_context_size",),
    ),
]


@pytest.mark.parametrize(("body", "expected", "dropped"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_tools(body: dict[str, Any], expected: object, dropped: tuple[str, ...]) -> None:
    """Functions keep their JSON Schema; Google's own tools go by their names; all else is reported."""
    assert tools(**body) == (expected, dropped)


def test_search_beside_functions_in_older_models() -> None:
    """Before generation 3 Google takes no search beside functions."""
    both = {"web_search_options": {}, "tools": [FUNCTION]}
    assert tools(OLDER, **both) == ([{"functionDeclarations": [DECLARED]}], ("web_search_options",))
    assert tools(OLDER, web_search_options={}) == ([{"googleSearch": {}}], ())
    both = {"tools": [FUNCTION, {"type": "code_execution"}, {"type": "web_search"}]}
    dropped = ("tools.code_execution", "tools.web_search")
    assert tools(OLDER, **both) == ([{"functionDeclarations": [DECLARED]}], dropped)


def test_own_tools_beside_functions() -> None:
    """Google wants to be told that it may show what its own tools did; a provider may not know the word."""
    body = {"tools": [FUNCTION, {"type": "code_execution"}], "toolConfig": {"retrievalConfig": {}}}
    assert orjson.loads(render(body).body)["toolConfig"] == {
        "retrievalConfig": {},
        "includeServerSideToolInvocations": True,
    }
    vertex = make_provider("vertex", dialect="gemini", refuses=frozenset({"includeServerSideToolInvocations"}))
    endpoint = make_endpoint(vertex, upstream_model=CURRENT)
    rendered = DIALECT.render_request(read({**HELLO, **body}), endpoint, stream=False)
    assert orjson.loads(rendered.body)["toolConfig"] == {"retrievalConfig": {}}


CHOICES: list[tuple[dict[str, Any], object]] = [
    ({}, None),
    ({"tool_choice": "auto"}, {"mode": "AUTO"}),
    ({"tool_choice": "none"}, {"mode": "NONE"}),
    ({"tool_choice": "required"}, {"mode": "ANY"}),
    (
        {"tool_choice": {"type": "function", "function": {"name": "look"}}},
        {"mode": "ANY", "allowedFunctionNames": ["look"]},
    ),
    ({"functions": [LOOK], "function_call": "auto"}, {"mode": "AUTO"}),
    ({"functions": [LOOK], "function_call": {"name": "look"}}, {"mode": "ANY", "allowedFunctionNames": ["look"]}),
]


@pytest.mark.parametrize(("body", "expected"), CHOICES)
def test_choices(body: dict[str, Any], expected: object) -> None:
    """The choice of a tool is a mode, with the name of one function where it is one."""
    config = orjson.loads(render({"tools": [FUNCTION], **body}).body).get("toolConfig", {})
    assert config.get("functionCallingConfig") == expected


def test_choices_without_functions() -> None:
    """Google refuses a choice where there is no function to choose; the default need not be said."""
    search = {"tools": [{"type": "google_search"}]}
    automatic, none = render({**search, "tool_choice": "auto"}), render({**search, "tool_choice": "none"})
    assert automatic.body == none.body == render(search).body
    assert (automatic.dropped, none.dropped) == ((), ("tool_choice",))


def test_the_choice_of_a_server_tool() -> None:
    """A choice that Google has no word for is reported."""
    rendered = render({"tools": [FUNCTION], "tool_choice": {"type": "openrouter:datetime"}})
    assert "toolConfig" not in orjson.loads(rendered.body)
    assert rendered.dropped == ("tool_choice",)
