# SPDX-License-Identifier: Apache-2.0
"""Messages of openai_chat's JSON as xAI's, each with its parts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.media import guess_type, read_data_url
from trunkline_server.dialects.reasoning import own_details
from trunkline_server.dialects.turns import as_parts
from trunkline_server.dialects.xai.stubs import chat_stubs, image_stubs

if TYPE_CHECKING:
    from xai_sdk.proto.v6.chat_pb2 import Content, FileContent, Message

FORMAT: Final = "xai-responses-v1"
"""What a reasoning detail's `format` says where only xAI can read it."""

_CONTENT: Final = "messages.content"
_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "user": "ROLE_USER",
        "assistant": "ROLE_ASSISTANT",
        "system": "ROLE_SYSTEM",
        "developer": "ROLE_DEVELOPER",
        "tool": "ROLE_TOOL",
    }
)
_DETAILS: Final[Mapping[str, str]] = MappingProxyType(
    {"auto": "DETAIL_AUTO", "low": "DETAIL_LOW", "high": "DETAIL_HIGH"}
)
_COMMON_KEYS: Final = frozenset({"role", "content"})
_KEYS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "user": _COMMON_KEYS | {"name"},
        "assistant": _COMMON_KEYS | {"refusal", "reasoning", "reasoning_details", "tool_calls"},
        "tool": _COMMON_KEYS | {"tool_call_id"},
    }
)
_CALL_KEYS: Final = frozenset({"id", "type", "function", "index"})
_CALL_FUNCTION_KEYS: Final = frozenset({"name", "arguments"})
_PUBLIC: Final = ("https://", "http://")


def render_message(message: Mapping[str, Any], report: Report, *, takes_developer_role: bool) -> Iterator[Message]:
    """The messages that a message becomes: several for a turn of the model that reasoned in steps.

    Raises GatewayError (INVALID_REQUEST) for content that xAI cannot read.
    """
    role = message["role"]
    report.drop_others("messages", message, _KEYS.get(role, _COMMON_KEYS))
    parts = _render_parts(message.get("content"), report)
    if role == "assistant":
        yield from _render_turn(message, parts, report)
        return
    made = _make(role if takes_developer_role or role != "developer" else "system", parts)
    if role == "user" and message.get("name"):
        made.name = message["name"]
    if role == "tool":
        made.tool_call_id = message["tool_call_id"]
    yield made


def _render_turn(message: Mapping[str, Any], parts: list[Content], report: Report) -> Iterator[Message]:
    """A turn of the model. Of reasoning in several steps, each but the last is a message of its own, as xAI's client sends it."""
    steps = _read_steps(message, report)
    for text, encrypted in steps[:-1]:
        yield _reasoned(_make("assistant", []), text, encrypted)
    if message.get("refusal"):
        parts = [*parts, chat_stubs().Content(text=message["refusal"])]
    made = _make("assistant", parts)
    if steps:
        _reasoned(made, *steps[-1])
    elif message.get("reasoning"):
        report.drop("messages.reasoning")
    for call in message.get("tool_calls", ()):
        report.drop_others("messages.tool_calls", call, _CALL_KEYS)
        function = call["function"]
        report.drop_others("messages.tool_calls.function", function, _CALL_FUNCTION_KEYS)
        added = made.tool_calls.add(id=call["id"], type="TOOL_CALL_TYPE_CLIENT_SIDE_TOOL")
        added.function.name, added.function.arguments = function["name"], function["arguments"]
    yield made


def _make(role: str, parts: Iterable[Content]) -> Message:
    """A message; xAI wants at least one part in each."""
    stubs = chat_stubs()
    made: Message = stubs.Message(role=_ROLES[role], content=list(parts) or [stubs.Content(text="")])
    return made


def _reasoned(made: Message, text: str, encrypted: str) -> Message:
    if text:
        made.reasoning_content = text
    made.encrypted_content = encrypted
    return made


def _read_steps(message: Mapping[str, Any], report: Report) -> list[tuple[str, str]]:
    """The reasoning that is xAI's own, step by step: its text and what only xAI can read. The latter ends a step."""
    own, has_others = own_details(message, {FORMAT})
    steps: list[tuple[str, str]] = []
    texts: list[str] = []
    for detail in own:
        match detail.get("type"):
            case "reasoning.text":
                texts.append(detail.get("text") or "")
            case "reasoning.summary":
                texts.append(detail.get("summary") or "")
            case "reasoning.encrypted" if detail.get("data"):
                steps.append(("".join(texts), detail["data"]))
                texts = []
            case _:
                has_others = True
    if any(texts):
        steps.append(("".join(texts), ""))
    if has_others:
        report.drop("messages.reasoning_details")
    return steps


def _render_parts(content: object, report: Report) -> list[Content]:
    return [_render_part(part, report) for part in as_parts(content)]


def _render_part(part: Mapping[str, Any], report: Report) -> Content:
    kind, stubs = part["type"], chat_stubs()
    report.drop_others(_CONTENT, part, frozenset({"type", kind}))
    match kind:
        case "text" | "refusal":
            made: Content = stubs.Content(text=part[kind])
        case "image_url":
            made = _render_image(part["image_url"], report)
        case "file":
            made = stubs.Content(file=_render_file(part.get("file", {}), report))
        case "input_audio" | "video_url" | "input_video":
            path = f"{_CONTENT}.{'video_url' if kind == 'input_video' else kind}"
            raise _unreadable(path, "xAI's chat models read text, images and files")
        case _:
            report.drop(f"{_CONTENT}.{kind}")
            made = stubs.Content(text="")
    return made


def _render_image(image: Mapping[str, Any], report: Report) -> Content:
    report.drop_others(f"{_CONTENT}.image_url", image, frozenset({"url", "detail"}))
    detail = image.get("detail", "auto")
    if detail not in _DETAILS:
        report.change(f"{_CONTENT}.image_url.detail", 'sent as "auto"')
    made: Content = chat_stubs().Content()
    made.image_url.image_url = image["url"]
    made.image_url.detail = image_stubs().ImageDetail.Value(_DETAILS.get(detail, "DETAIL_AUTO"))
    return made


def _render_file(file: Mapping[str, Any], report: Report) -> FileContent:
    """A file: its data, a URL that xAI fetches, or the id of one that xAI holds, which has its name there."""
    report.drop_others(f"{_CONTENT}.file", file, frozenset({"file_data", "file_id", "filename"}))
    stubs = chat_stubs()
    data, name = file.get("file_data"), file.get("filename", "")
    if data is None:
        by_id: FileContent = stubs.FileContent(file_id=file.get("file_id", ""))
        return by_id
    made: FileContent = stubs.FileContent(filename=name)
    url = read_data_url(data)
    if url is None and data.startswith(_PUBLIC):
        made.url = data
        media_type = guess_type(name) or guess_type(data)
    else:
        made.data = _decode(data if url is None else url.data)
        media_type = guess_type(name) if url is None else url.media_type
    if media_type is not None:
        made.mime_type = media_type
    return made


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(f"{_CONTENT}.file.file_data", "must be a data URL of base64, or a URL") from error


def _unreadable(path: str, why: str) -> GatewayError:
    fault = FieldFault(field=path, description=why)
    message = f"The provider cannot read `{path}`: {why}."
    return GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=[fault])
