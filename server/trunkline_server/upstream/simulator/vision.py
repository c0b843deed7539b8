# SPDX-License-Identifier: Apache-2.0
"""Describing the parts of a message: what sim/vision says."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from trunkline_server.upstream.simulator.body import Json, json_path, object_at, required_text, text_at
from trunkline_server.upstream.simulator.conversation import Message
from trunkline_server.upstream.simulator.limits import MAX_URL, Work
from trunkline_server.upstream.simulator.refused import RefusedError

_BASE64: Final = string.ascii_letters.encode() + string.digits.encode() + b"+/"
_DECODED: Final = 1 << 20
"""The characters of base64 in which an image's size is looked for."""
_UNQUOTED: Final = 4096
"""The same for percent-encoding, which costs much more."""
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segments that hold a JPEG's size (ITU T.81, table B.1)."""


def describe_parts(message: Message) -> Work[str]:
    """One line a part, in order. Gives way after each. Raises RefusedError for a part that cannot be read."""
    lines = [f"{len(message.parts)} part{'' if len(message.parts) == 1 else 's'}:"]
    for number, part in enumerate(message.parts):
        lines.append(f"{number + 1}. {_describe(part, json_path(f'{message.path}.content', number))}")
        yield 1
    return "\n".join(lines)


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height from the header of a PNG, GIF or JPEG; None where it is none of them or the header is broken."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    return _jpeg_size(content) if content.startswith(b"\xff\xd8") else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in _JPEG_SIZES:
            return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None


def _describe(part: Mapping[str, Json], path: str) -> str:
    describe = _DESCRIBERS.get(part["type"])
    return f"{part['type']}: unknown" if describe is None else describe(part, path)


def _describe_text(part: Mapping[str, Json], _: str) -> str:
    return f"text: {len(part['text'])} characters"


def _describe_image(part: Mapping[str, Json], path: str) -> str:
    where = json_path(path, "image_url")
    return f"image: {_describe_url(required_text(object_at(part, 'image_url', path) or {}, 'url', where), json_path(where, 'url'))}"


def _describe_video(part: Mapping[str, Json], path: str) -> str:
    key = "input_video" if "input_video" in part else "video_url"
    where = json_path(path, key)
    return f"video: {_describe_url(required_text(object_at(part, key, path) or {}, 'url', where), json_path(where, 'url'))}"


def _describe_audio(part: Mapping[str, Json], path: str) -> str:
    where = json_path(path, "input_audio")
    audio = object_at(part, "input_audio", path) or {}
    kind = required_text(audio, "format", where)
    _, length = _decode(required_text(audio, "data", where), json_path(where, "data"))
    return f"audio: {kind}, {length} bytes"


def _describe_file(part: Mapping[str, Json], path: str) -> str:
    where = json_path(path, "file")
    file = object_at(part, "file", path) or {}
    name, data, file_id = (text_at(file, key, where) for key in ("filename", "file_data", "file_id"))
    said = [name] if name else []
    if data is not None:
        said.append(_describe_url(data, json_path(where, "file_data")))
    if file_id is not None:
        said.append(f"id {file_id}")
    return f"file: {', '.join(said) or 'empty'}"


def _describe_url(url: str, path: str) -> str:
    if url[:5].lower() != "data:":
        _check_length(url, path)
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        if host is None:
            raise RefusedError(f"{path}: neither a data URL nor a URL with a host.", param=path)
        return f"remote, {host}"
    head, comma, payload = url[5:].partition(",")
    if not comma:
        raise RefusedError(f"{path}: a data URL without a comma.", param=path)
    _check_length(head, path)
    kind, *settings = head.split(";")
    encoded = any(setting.strip().lower() == "base64" for setting in settings)
    if encoded:
        content, length = _decode(payload, path)
    else:
        _check_length(payload, path)
        content = unquote_to_bytes(payload[:_UNQUOTED])
        length = len(payload.encode()) - 2 * len(_ESCAPE.findall(payload))
    size = image_size(content)
    shape = "" if size is None else f", {size[0]}x{size[1]}"
    return f"{kind or 'text/plain'}{shape}, {length} bytes"  # RFC 2397: without a type it is plain text


def _check_length(text: str, path: str) -> None:
    """Only base64 is read at any length: it costs little."""
    if len(text) > MAX_URL:
        raise RefusedError(
            f"{path}: more than {MAX_URL} characters of a URL that are not base64. Use a data URL with base64.",
            param=path,
        )


def _decode(payload: str, path: str) -> tuple[bytes, int]:
    """The beginning of what base64 (RFC 4648, with padding) holds, and how many bytes it holds; all of it is checked, which costs less than decoding."""
    digits = payload.rstrip("=")
    padding = len(payload) - len(digits)
    others = digits.encode("ascii", "replace").translate(None, _BASE64)
    if others or padding > 2 or len(payload) % 4:
        raise RefusedError(f"{path}: not base64.", param=path)
    return base64.b64decode(payload[:_DECODED]), len(payload) // 4 * 3 - padding


_DESCRIBERS: Final[Mapping[str, Callable[[Mapping[str, Json], str], str]]] = {
    "text": _describe_text,
    "image_url": _describe_image,
    "input_audio": _describe_audio,
    "file": _describe_file,
    "video_url": _describe_video,
    "input_video": _describe_video,
}
"""Content part type to what describes such a part."""
