# SPDX-License-Identifier: Apache-2.0
"""Content parts, annotations and log probabilities between openai_chat's JSON and this language's, each way.

The types of parts are those of openai-python 3.54 (`types/responses/response_input_*_param.py`) and OpenRouter's `input_video`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.dialects.caching import BREAKPOINT
from trunkline_server.jsonshape import Fault, ShapeFaults

_URLS: Final = ("http://", "https://")
_FILE_KEYS: Final = ("file_id", "filename")
_TEXTS: Final = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_CITATION_KEYS: Final = ("url", "title", "start_index", "end_index")
_KNOWN_KEYS: Final = frozenset({"type", "text", "refusal", "image_url", "input_audio", "video_url", "file", BREAKPOINT})


def unknown_keys(part: Mapping[str, Any]) -> list[str]:
    """The keys of an openai_chat part that have no place in this language."""
    return [key for key in part if key not in _KNOWN_KEYS]


def render_part(part: Mapping[str, Any], *, takes_video: bool = False) -> dict[str, Any]:
    """A part of what the model reads. Raises GatewayError (INVALID_REQUEST) for video, which OpenAI's API does not take."""
    match part.get("type"):
        case "image_url":
            image = part["image_url"]
            made = {"type": "input_image", "image_url": image["url"]}
            if "detail" in image:
                made["detail"] = image["detail"]
        case "input_audio":
            sound = part["input_audio"]
            made = {"type": "input_audio", "input_audio": {"data": sound["data"], "format": sound["format"]}}
        case "file":
            made = _render_file(part.get("file", {}))
        case "video_url" | "input_video":
            if not takes_video:
                raise _no_video()
            made = {"type": "input_video", "video_url": part["video_url"]["url"]}
        case "refusal":
            made = {"type": "input_text", "text": part["refusal"]}
        case _:
            made = {"type": "input_text", "text": part["text"]}
    if BREAKPOINT in part:
        made[BREAKPOINT] = part[BREAKPOINT]
    return made


def parse_part(part: object, path: str) -> dict[str, Any]:
    """A part that a client sent, in openai_chat's JSON. Raises ShapeFaults for what is no part, or of a type that is not known."""
    if not isinstance(part, dict):
        raise fault(path, "an object")
    made = _parse_known(part, path)
    if part.get(BREAKPOINT) is not None:
        made[BREAKPOINT] = part[BREAKPOINT]
    if part.get("cache_control") is not None:
        made["cache_control"] = part["cache_control"]
    return made


def _parse_known(part: dict[str, Any], path: str) -> dict[str, Any]:
    kind = part.get("type")
    if isinstance(kind, str) and kind in _TEXTS:
        return {"type": "text", "text": part.get("text")}
    match kind:
        case "refusal":
            return {"type": "refusal", "refusal": part.get("refusal")}
        case "input_image":
            if part.get("image_url") is None:
                raise fault(
                    f"{path}.image_url", "a URL or a data URL; the gateway holds no files that an id could name"
                )
            image = {"url": part["image_url"]}
            if part.get("detail") is not None:
                image["detail"] = part["detail"]
            return {"type": "image_url", "image_url": image}
        case "input_audio":
            return {"type": "input_audio", "input_audio": part.get("input_audio")}
        case "input_file":
            file = {key: part[key] for key in _FILE_KEYS if part.get(key) is not None}
            data = part.get("file_data") or part.get("file_url")
            return {"type": "file", "file": {**file, "file_data": data} if data is not None else file}
        case "input_video":
            return {"type": "video_url", "video_url": {"url": part.get("video_url")}}
    expected = "one of input_text, input_image, input_file, input_audio, input_video, output_text, refusal"
    raise fault(f"{path}.type", expected, kind)


def _render_file(file: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "input_file"}
    data = file.get("file_data")
    if data is not None:
        made["file_url" if data.startswith(_URLS) else "file_data"] = data
    return made | {key: file[key] for key in _FILE_KEYS if key in file}


def render_annotation(annotation: Mapping[str, Any]) -> dict[str, Any] | None:
    """An annotation of a text. None for one of the gateway's own type, which this language does not have: a file that was read."""
    kind = annotation.get("type")
    if kind == "file" and "file" in annotation:
        return None
    cited = annotation.get("url_citation")
    if kind != "url_citation" or not isinstance(cited, dict):
        return dict(annotation)
    made = {"type": "url_citation", "url": cited["url"], "title": cited.get("title") or ""}
    places = {key: cited.get(key) or 0 for key in ("start_index", "end_index")}
    return made | places | ({"content": cited["content"]} if "content" in cited else {})


def parse_annotation(annotation: Mapping[str, Any], offset: int = 0) -> dict[str, Any]:
    """An annotation in openai_chat's JSON. `offset` is where its text begins in the whole content."""
    if annotation.get("type") != "url_citation" or "url_citation" in annotation:
        return dict(annotation)
    cited = {key: annotation[key] for key in (*_CITATION_KEYS, "content") if annotation.get(key) is not None}
    for key in ("start_index", "end_index"):
        if offset and isinstance(cited.get(key), int):
            cited[key] += offset
    return {"type": "url_citation", "url_citation": cited}


def fault(path: str, expected: str, got: object = None) -> ShapeFaults:
    """What is wrong at a path of the client's JSON."""
    shown = f"the string {got!r}"[:64] if isinstance(got, str) else ""
    return ShapeFaults([Fault(path=path, expected=expected, got=shown)])


def _no_video() -> GatewayError:
    faults = [FieldFault(field="messages.content.video_url", description="the provider's Responses API takes no video")]
    message = "The provider takes no video."
    return GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=faults)
