# SPDX-License-Identifier: Apache-2.0
"""Content parts as Anthropic's blocks: text, images, documents. Sound and video have no block, so they are errors: unsupported content is never left out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.media import guess_type, read_data_url

Block = dict[str, Any]

RAW_BLOCK: Final = "anthropic_block"
"""The key of a text part that holds a block which the contract has no part for: a search result, an upload to a container."""
IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
PDF: Final = "application/pdf"

_TEXT_TYPES: Final = frozenset({"text/plain", "text/markdown", "text/csv", "text/html", "text/xml", "application/json"})
_TEXT_KEYS: Final = frozenset({"type", "text", CONTROL})
_FILE_KEYS: Final = frozenset({"file_data", "file_id", "filename"})
_DOCUMENT_EXTRAS: Final = ("citations", "context")


def text_block(text: str, part: Mapping[str, Any] = MappingProxyType({})) -> Block:
    """A block of text with the part's cache mark."""
    return _marked({"type": "text", "text": text}, part)


def blocks_of_parts(parts: Iterable[Mapping[str, Any]], report: Report, *, said: bool = False) -> list[Block]:
    """The blocks of some parts. Blank texts are none, since Anthropic refuses them; a cache mark on one goes to the block before it.

    `said` is true for the model's own turns, whose texts keep citations.

    Raises GatewayError (UNPROCESSABLE, UNSUPPORTED_IMAGE_FORMAT, INVALID_REQUEST) for what no block can hold.
    """
    blocks: list[Block] = []
    for part in parts:
        kind = part.get("type")
        if is_blank(part):
            _move_mark(part, blocks, report)
        elif kind == "text":
            raw = _raw_of(part)
            if raw is not None:
                blocks.append(_marked(raw, part))
            else:
                block = text_block(part["text"], part)
                if said and part.get("citations"):
                    block["citations"] = part["citations"]
                blocks.append(block)
        elif kind == "refusal":
            blocks.append(text_block(part["refusal"], part))
        else:
            render = _RENDER.get(str(kind))
            if render is None:
                raise _unexpressible(f"content of type {kind!r}")
            blocks.append(_marked(render(part, report), part))
        _report_keys(part, report, said=said)
    return blocks


def is_blank(part: Mapping[str, Any]) -> bool:
    """Whether a part is a text with nothing but white space in it."""
    kind = part.get("type")
    if kind not in ("text", "refusal") or _raw_of(part) is not None:
        return False
    return not (part.get(kind) or "").strip()


def _raw_of(part: Mapping[str, Any]) -> Block | None:
    """The block that travels inside a part; None for what is no block."""
    raw = part.get(RAW_BLOCK)
    return raw if type(raw) is dict and type(raw.get("type")) is str else None


def _move_mark(part: Mapping[str, Any], blocks: list[Block], report: Report) -> None:
    """Gives the cache mark of a part that is left out to the block before it."""
    control = part.get(CONTROL)
    if control is None:
        return
    if blocks:
        blocks[-1] = {CONTROL: control, **blocks[-1]}
    else:
        report.drop(f"messages.content.{CONTROL}")


def _marked(block: Block, part: Mapping[str, Any]) -> Block:
    control = part.get(CONTROL)
    return block if control is None else {**block, CONTROL: control}


def _report_keys(part: Mapping[str, Any], report: Report, *, said: bool) -> None:
    if part.get("type") != "text" or RAW_BLOCK in part:
        return
    for key in part.keys() - _TEXT_KEYS:
        if key != "citations" or not said:
            report.drop(f"messages.content.{key}")


def _image(part: Mapping[str, Any], report: Report) -> Block:
    image = part["image_url"]
    url: str = image["url"]
    if image.get("detail") not in (None, "auto"):
        report.drop("messages.content.image_url.detail")
    data = read_data_url(url)
    source: Block
    if data is None and url[:5].lower() == "data:":
        raise _unexpressible("an image in a data URL without base64")
    if data is None:
        source = {"type": "url", "url": url}
    elif data.media_type in IMAGE_TYPES:
        source = {"type": "base64", "media_type": data.media_type, "data": data.data}
    else:
        reason = ErrorReason.ERROR_REASON_UNSUPPORTED_IMAGE_FORMAT
        raise GatewayError(reason, f"The provider reads JPEG, PNG, GIF and WebP images, not {data.media_type}.")
    block: Block = {"type": "image", "source": source}
    if "transformations" in image:
        block["transformations"] = image["transformations"]
    return block


def _document(part: Mapping[str, Any], report: Report) -> Block:
    file = part.get("file", {})
    block: Block = {"type": "document", "source": _document_source(file)}
    if file.get("filename"):
        block["title"] = file["filename"]
    for key in file.keys() - _FILE_KEYS:
        if key in _DOCUMENT_EXTRAS:
            block[key] = file[key]
        elif key != "source":
            report.drop(f"messages.content.file.{key}")
    return block


def _document_source(file: Mapping[str, Any]) -> Block:
    if type(file.get("source")) is dict:
        return {**file["source"]}
    if file.get("file_id"):
        return {"type": "file", "file_id": file["file_id"]}
    text = file.get("file_data")
    if not text:
        raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, "A file has neither data nor an id.")
    data = read_data_url(text)
    if data is None and "://" in text[:16]:
        return {"type": "url", "url": text}
    media_type = data.media_type if data is not None else guess_type(file.get("filename") or "") or PDF
    content = data.data if data is not None else text
    if media_type == PDF:
        return {"type": "base64", "media_type": PDF, "data": content}
    if media_type in _TEXT_TYPES:
        return {"type": "text", "media_type": "text/plain", "data": _decode(content)}
    raise _unexpressible(f"a document of type {media_type}")


def _decode(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        reason = ErrorReason.ERROR_REASON_INVALID_REQUEST
        raise GatewayError(reason, "A text document is not base64 of UTF-8.") from error


def _sound(_part: Mapping[str, Any], _report: Report) -> Block:
    raise _unexpressible("sound")


def _video(_part: Mapping[str, Any], _report: Report) -> Block:
    raise _unexpressible("video")


def _unexpressible(what: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_UNPROCESSABLE, f"The provider does not take {what}.")


_RENDER: Final[Mapping[str, Callable[[Mapping[str, Any], Report], Block]]] = MappingProxyType(
    {
        "image_url": _image,
        "file": _document,
        "input_audio": _sound,
        "video_url": _video,
        "input_video": _video,
    }
)
