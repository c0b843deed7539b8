# SPDX-License-Identifier: Apache-2.0
"""Content parts as Converse's blocks: text, images, documents, sound, video. Their bytes travel inside the request, or lie in S3; no other address is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.media import guess_type, read_data_url

Block = dict[str, Any]

RAW_BLOCK: Final = "bedrock_block"
"""The key of a text part that holds a block which the contract has no part for: `guardContent`, `searchResult`."""

_IMAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
)
_DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "text/html": "html",
        "text/plain": "txt",
        "text/markdown": "md",
        # Plain text to every model.
        "application/json": "txt",
        "text/xml": "txt",
    }
)
_VIDEOS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "video/mp4": "mp4",
        "video/quicktime": "mov",
        "video/mov": "mov",
        "video/x-matroska": "mkv",
        "video/webm": "webm",
        "video/x-flv": "flv",
        "video/mpeg": "mpeg",
        "video/wmv": "wmv",
        "video/x-ms-wmv": "wmv",
        "video/3gpp": "three_gp",
    }
)
_SOUNDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{word: word for word in ("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "m4a", "mpeg", "webm")},
        "pcm16": "pcm",
    }
)
"""`input_audio.format` to the block's; formats as botocore's model of bedrock-runtime has them (1.44, November 2026)."""

_S3: Final = "s3://"
_NOT_NAME: Final = re.compile(r"[^0-9A-Za-z\s()\[\]-]+")
_SPACES: Final = re.compile(r"\s+")
_LONGEST_NAME: Final = 200
_TEXT_KEYS: Final = frozenset({"type", "text", CONTROL})
_FILE_KEYS: Final = frozenset({"file_data", "filename", "citations", "context"})


def cache_point(control: Mapping[str, Any]) -> Block:
    """The block that ends a cached prefix, for a `cache_control`."""
    point = {"type": "default"}
    if control.get("ttl") in ("5m", "1h"):
        point["ttl"] = control["ttl"]
    return {"cachePoint": point}


def blocks_of_parts(parts: Iterable[Mapping[str, Any]], report: Report) -> list[Block]:
    """The blocks of some parts, each mark of a cached prefix behind its part. Texts that are empty or blank are none, since Bedrock refuses them ("The text field
    … is blank"): a mark on one ends at the block before it.

    Raises GatewayError (UNPROCESSABLE, UNSUPPORTED_IMAGE_FORMAT, IMAGE_DOWNLOAD_FAILED, INVALID_REQUEST) for what no block can hold.
    """
    blocks: list[Block] = []
    for part in parts:
        kind = part.get("type")
        if kind in ("text", "refusal"):
            raw, text = part.get(RAW_BLOCK), part.get(str(kind))
            if type(raw) is dict:
                blocks.append(raw)
            elif text and text.strip():
                blocks.append({"text": text})
            if kind == "text" and RAW_BLOCK not in part:
                for key in part.keys() - _TEXT_KEYS:
                    report.drop(f"messages.content.{key}")
        else:
            render = _RENDER.get(str(kind))
            if render is None:
                raise _unexpressible(f"content of type {kind!r}")
            blocks.append(render(part, report))
        control = part.get(CONTROL)
        if control is None:
            continue
        if not blocks:
            report.drop(f"messages.content.{CONTROL}")
        elif "cachePoint" not in blocks[-1]:
            blocks.append(cache_point(control))
    return blocks


def number_documents(blocks: Iterable[Block]) -> None:
    """Gives each document of a request a name of its own: two of one name are refused."""
    seen: dict[str, int] = {}
    for block in blocks:
        document = block.get("document")
        if document is None:
            continue
        name = document["name"]
        count = seen[name] = seen.get(name, 0) + 1
        if count > 1:
            document["name"] = f"{name[: _LONGEST_NAME - 8]} ({count})"


def _image(part: Mapping[str, Any], report: Report) -> Block:
    image = part["image_url"]
    if image.get("detail") not in (None, "auto"):
        report.drop("messages.content.image_url.detail")
    media_type, source = _source(image["url"], "image")
    form = _IMAGES.get(media_type)
    if form is None:
        reason = ErrorReason.ERROR_REASON_UNSUPPORTED_IMAGE_FORMAT
        raise GatewayError(reason, f"The provider reads JPEG, PNG, GIF and WebP images, not {media_type}.")
    return {"image": {"format": form, "source": source}}


def _document(part: Mapping[str, Any], report: Report) -> Block:
    file = part.get("file", {})
    filename, text = file.get("filename") or "", file.get("file_data")
    for key in file.keys() - _FILE_KEYS:
        report.drop(f"messages.content.file.{key}")
    if not text:
        raise GatewayError(ErrorReason.ERROR_REASON_UNPROCESSABLE, "The provider takes files by their data alone.")
    if ":" in text[:16]:
        media_type, source = _source(text, "file")
    else:
        media_type, source = guess_type(filename) or "application/pdf", {"bytes": text}
    form = _DOCUMENTS.get(media_type) or _DOCUMENTS.get(guess_type(filename) or "")
    if form is None:
        raise _unexpressible(f"a document of type {media_type}")
    # Names are read by the model, and AWS allows few characters in them (API_runtime_DocumentBlock).
    name = _SPACES.sub(" ", _NOT_NAME.sub(" ", filename.rpartition(".")[0] or filename)).strip()
    block: Block = {"format": form, "name": name[:_LONGEST_NAME] or "document", "source": source}
    for key in ("citations", "context"):
        if file.get(key) is not None:
            block[key] = file[key]
    return {"document": block}


def _sound(part: Mapping[str, Any], _report: Report) -> Block:
    audio = part["input_audio"]
    form = _SOUNDS.get(str(audio.get("format") or "wav"))
    if form is None:
        raise _unexpressible(f"sound of format {audio.get('format')}")
    return {"audio": {"format": form, "source": {"bytes": audio["data"]}}}


def _video(part: Mapping[str, Any], _report: Report) -> Block:
    video = part.get("video_url") or part.get("input_video") or {}
    media_type, source = _source(video.get("url") or "", "video")
    form = _VIDEOS.get(media_type)
    if form is None:
        raise _unexpressible(f"video of type {media_type}")
    return {"video": {"format": form, "source": source}}


def _source(url: str, what: str) -> tuple[str, Block]:
    """The media type of what a URL holds, and where Bedrock reads it. Raises GatewayError for an address that it does not read."""
    data = read_data_url(url)
    if data is not None:
        return data.media_type, {"bytes": data.data}
    if url.startswith(_S3):
        return guess_type(url) or "", {"s3Location": {"uri": url}}
    reason = ErrorReason.ERROR_REASON_IMAGE_DOWNLOAD_FAILED
    raise GatewayError(reason, f"The provider reads no URL: send the {what} as a data URL.")


def _unexpressible(what: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_UNPROCESSABLE, f"The provider does not take {what}.")


_RENDER: Final[Mapping[str, Callable[[Mapping[str, Any], Report], Block]]] = MappingProxyType(
    {"image_url": _image, "file": _document, "input_audio": _sound, "video_url": _video, "input_video": _video}
)
