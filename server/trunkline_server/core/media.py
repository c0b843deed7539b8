# SPDX-License-Identifier: Apache-2.0
"""Images, sound, video and documents in a request: whether they are what their field says, by their first characters and their alphabet alone.

Nothing is decoded, parsed or fetched here. An address may have the schemes that a provider fetches from; what stands behind it is the provider's to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from trunkline.v1.message_pb2 import ContentPart
from trunkline_server.core.errors import FieldFault

_MEDIA: Final = frozenset({"image_url", "video_url", "input_audio", "file"})
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:")
_FETCHED: Final = frozenset({"https:", "http:"})
_DATA: Final = "data:"
_BASE64: Final = ";base64,"
_LONGEST_TYPE: Final = 256
_MOST_PADDING: Final = 2
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_RULE: Final = "must be an https URL or a data URL"
_DATA_RULE: Final = "must be a data URL of a media type and padded base64: data:image/png;base64,..."
_BASE64_RULE: Final = "must be padded base64"


def find_media_faults(contents: Iterable[tuple[int, Iterable[ContentPart]]]) -> Iterator[FieldFault]:
    """The parts that are not what their field says. `contents` are the places of messages among the request's, and their content."""
    for index, content in contents:
        for place, part in enumerate(content):
            if part.WhichOneof("part") in _MEDIA:
                yield from _part_faults(part, f"messages[{index}].content[{place}]")


def is_base64(text: str) -> bool:
    """Whether a text is base64 of the standard alphabet, padded, in one piece. At memory speed: it may have 32 MiB."""
    if len(text) % 4 or not text.isascii():
        return False
    digits = text.rstrip("=")
    return len(text) - len(digits) <= _MOST_PADDING and not digits.encode().translate(None, _ALPHABET)


def _part_faults(part: ContentPart, path: str) -> Iterator[FieldFault]:
    match part.WhichOneof("part"):
        case "image_url":
            yield from _faults(_url_rule(part.image_url.url), f"{path}.image_url.url")
        case "video_url":
            yield from _faults(_url_rule(part.video_url.url), f"{path}.video_url.url")
        case "input_audio":
            rule = "" if is_base64(part.input_audio.data) else _BASE64_RULE
            yield from _faults(rule, f"{path}.input_audio.data")
        case "file" if part.file.HasField("file_data"):
            yield from _faults(_document_rule(part.file.file_data), f"{path}.file.file_data")


def _faults(rule: str, field: str) -> Iterator[FieldFault]:
    if rule:
        yield FieldFault(field=field, description=rule)


def _document_rule(text: str) -> str:
    """As _url_rule, for a field that takes base64 as it is, too."""
    return "" if is_base64(text) else _url_rule(text)


def _url_rule(text: str) -> str:
    """What a URL breaks; "" where it is one of those taken."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _URL_RULE
    if scheme[0].lower() == _DATA:
        mark = text.find(_BASE64, 0, _LONGEST_TYPE)
        return "" if mark > 0 and is_base64(text[mark + len(_BASE64) :]) else _DATA_RULE
    return "" if scheme[0].lower() in _FETCHED and text.startswith("//", scheme.end()) else _URL_RULE
