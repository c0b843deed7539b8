# SPDX-License-Identifier: Apache-2.0
"""What no field's own limits show: parts of a request that contradict one another, are not what they say, or ask for what this gateway does not run.

Providers differ in what they make of such requests, so they are refused here, alike for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from google.protobuf.message import Message

from trunkline.jsonshape.v1 import options_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.tool_pb2 import Tool
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.core.media import find_media_faults

_MOST_FAULTS: Final = 20
_SERVER_TOOL_MARK: Final = "openrouter:"
_LONGEST_NAME: Final = 64
_LABELS: Final = ("user", "session_id", "safety_identifier")
_ROUTER_PLUGINS: Final = frozenset({"auto_router", "auto_beta_router"})
"""Plugins that are settings of `openrouter/auto`; with another model they change nothing."""
Faults: TypeAlias = list[FieldFault]
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LABEL_RULE: Final = "must be free of line breaks and other control characters"


def check_request(request: ChatCompletionRequest) -> None:
    """Raises GatewayError: INVALID_REQUEST with all contradictions, or FEATURE_UNAVAILABLE naming the plugin or server tool asked for."""
    # Asking once what is set costs less than a look at each of the fields, most of which are not.
    given = {field.name for field, _ in request.ListFields()}
    faults: list[FieldFault] = []
    for check, fields in _CHECKS:
        if not fields.isdisjoint(given):
            check(request, faults)
    if faults:
        first = faults[0]
        message = f"The request cannot be served as it is: {first.field}: {first.description}."
        raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=faults[:_MOST_FAULTS])
    unserved = [] if _SERVABLE.isdisjoint(given) else list(islice(_find_unserved(request), _MOST_FAULTS))
    if unserved:
        first = unserved[0]
        raise GatewayError(
            ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE, f"{first.field}: {first.description}.", faults=unserved
        )


def _check_labels(request: ChatCompletionRequest, faults: Faults) -> None:
    """Names that travel outside of JSON elsewhere: in headers, logs and lists."""
    for name in _LABELS:
        if _CONTROL.search(getattr(request, name)):
            faults.append(FieldFault(field=name, description=_LABEL_RULE))
    metadata = request.metadata
    for key, value in metadata.items() if metadata else ():
        if _CONTROL.search(key) or _CONTROL.search(value):
            faults.append(FieldFault(field="metadata", description=_LABEL_RULE))


def _check_reasoning(request: ChatCompletionRequest, faults: Faults) -> None:
    if (
        request.HasField("reasoning_effort")
        and request.reasoning.HasField("effort")
        and request.reasoning_effort != request.reasoning.effort
    ):
        faults.append(
            FieldFault(
                field="reasoning_effort",
                description="must equal `reasoning.effort` where both are set; leave one of them out",
            )
        )
    if request.reasoning.HasField("effort") and request.reasoning.HasField("max_tokens"):
        faults.append(FieldFault(field="reasoning", description="takes `effort` or `max_tokens`, not both"))
    elif request.HasField("reasoning_effort") and request.reasoning.HasField("max_tokens"):
        faults.append(FieldFault(field="reasoning_effort", description="cannot stand beside `reasoning.max_tokens`"))


def _check_tools(request: ChatCompletionRequest, faults: Faults) -> None:
    names: set[str] = set()
    for index, tool in enumerate(request.tools[:]):
        if tool.WhichOneof("tool") != "function":
            continue
        name = tool.function.name
        if name in names:
            field = f"tools[{index}].function.name"
            faults.append(FieldFault(field=field, description="must differ from the names before it"))
            if len(faults) >= _MOST_FAULTS:
                return
        names.add(name)
    choice = request.tool_choice
    chosen = choice.WhichOneof("choice")
    if chosen == "named" and choice.named.type == "function" and choice.named.function.name not in names:
        faults.append(FieldFault(field="tool_choice.function.name", description="must be the name of one of `tools`"))
    if chosen == "mode" and choice.mode == "required" and not request.tools:
        faults.append(FieldFault(field="tool_choice", description='"required" needs `tools` to choose from'))


def _check_functions(request: ChatCompletionRequest, faults: Faults) -> None:
    """The legacy pair `functions` and `function_call`."""
    names: set[str] = set()
    for index, function in enumerate(request.functions[:]):
        if function.name in names:
            field = f"functions[{index}].name"
            faults.append(FieldFault(field=field, description="must differ from the names before it"))
            if len(faults) >= _MOST_FAULTS:
                return
        names.add(function.name)
    choice = request.function_call
    if choice.WhichOneof("choice") == "function" and choice.function.name not in names:
        faults.append(FieldFault(field="function_call.name", description="must be the name of one of `functions`"))


def _check_messages(request: ChatCompletionRequest, faults: Faults) -> None:
    """Tool results without their call, and media that are none."""
    called: set[str] = set()
    contents = []
    # Sliced: to step through a repeated field costs more, and an exception at its end.
    for index, message in enumerate(request.messages[:]):
        kind = message.WhichOneof("message")
        if kind is None:
            continue
        said = getattr(message, kind)
        if content := said.content[:]:
            contents.append((index, content))
        if kind == "assistant":
            called.update([call.id for call in said.tool_calls[:]])
        elif kind == "tool" and said.tool_call_id not in called:
            faults.append(
                FieldFault(
                    field=f"messages[{index}].tool_call_id",
                    description="must be the id of a tool call in an earlier assistant message",
                )
            )
            if len(faults) >= _MOST_FAULTS:
                return
    faults.extend(islice(find_media_faults(contents), _MOST_FAULTS))


def _find_unserved(request: ChatCompletionRequest) -> Iterator[FieldFault]:
    for index, plugin in enumerate(request.plugins[:]):
        is_on = not plugin.HasField("enabled") or plugin.enabled
        if is_on and plugin.WhichOneof("plugin") not in _ROUTER_PLUGINS:
            name = _tag_of(plugin, "plugin")
            yield FieldFault(
                field=f"plugins[{index}]",
                description=f"the plugin `{name}` is not served yet; leave it out or set `enabled: false`",
            )
    for index, tool in enumerate(request.tools[:]):
        kind = _server_tool_of(tool)
        if kind is not None:
            yield FieldFault(
                field=f"tools[{index}]", description=f"the server tool `{kind}` is not served yet; leave it out"
            )
    chosen = request.tool_choice.named.type
    if chosen.startswith(_SERVER_TOOL_MARK):
        yield FieldFault(
            field="tool_choice", description=f"the server tool `{chosen[:_LONGEST_NAME]}` is not served yet"
        )
    if request.transforms:
        yield FieldFault(
            field="transforms", description="context compression is not served yet; leave it out or send an empty list"
        )


def _server_tool_of(tool: Tool) -> str | None:
    """The type of a server tool as JSON writes it; None where a provider or the caller runs the tool."""
    kind = tool.WhichOneof("tool")
    if kind is None or kind == "function":
        return None
    if kind != "unknown":
        return _tag_of(tool, "tool")
    # The text was checked to be an object with a `type`. One that we have never heard of is still no provider's when it bears our prefix.
    received = str(json.loads(tool.unknown).get("type"))
    return received[:_LONGEST_NAME] if received.startswith(_SERVER_TOOL_MARK) else None


def _tag_of(message: Message, oneof: str) -> str:
    """The discriminator of the variant that is set, as JSON writes it: the one received where the variant keeps it, else its first tag."""
    name = message.WhichOneof(oneof)
    if name is None:
        return "none"
    variant = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    for field in value.DESCRIPTOR.fields:
        if field.GetOptions().Extensions[options_pb2.field].keeps_tag and value.HasField(field.name):
            return str(getattr(value, field.name))
    return str(variant.GetOptions().Extensions[options_pb2.field].tags[0])


_CHECKS: Final = (
    (_check_labels, frozenset((*_LABELS, "metadata"))),
    (_check_reasoning, frozenset({"reasoning", "reasoning_effort"})),
    (_check_tools, frozenset({"tools", "tool_choice"})),
    (_check_functions, frozenset({"functions", "function_call"})),
    (_check_messages, frozenset({"messages"})),
)
"""What is checked where at least one of some fields is set."""
_SERVABLE: Final = frozenset({"plugins", "tools", "tool_choice", "transforms"})
"""The fields by which something can be asked for that is not served."""
