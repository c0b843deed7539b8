# SPDX-License-Identifier: Apache-2.0
"""Images, sound and documents between the words of openai_chat and media types. Nothing is decoded or fetched here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit

_SCHEME: Final = "data:"
_BASE64: Final = ";base64"
_LONGEST_HEAD: Final = 256

AUDIO_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Google's page on audio understanding writes audio/mp3 (ai.google.dev/gemini-api/docs/audio, 2026), and takes it as audio/mpeg, too.
        "mp3": "audio/mp3",
        "wav": "audio/wav",
        "aiff": "audio/aiff",
        "aac": "audio/aac",
        "ogg": "audio/ogg",
        "flac": "audio/flac",
        "m4a": "audio/m4a",
        "webm": "audio/webm",
        "pcm16": "audio/pcm",
    }
)
"""The words of `input_audio.format`, each with its media type."""

_AUDIO_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{media_type: word for word, media_type in AUDIO_TYPES.items()},
        "audio/mpeg": "mp3",
        "audio/x-wav": "wav",
        "audio/wave": "wav",
        "audio/x-aiff": "aiff",
        "audio/mp4": "m4a",
        "audio/x-m4a": "m4a",
        "audio/x-flac": "flac",
        "audio/l16": "pcm16",
    }
)

_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "png": "image/png",
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "gif": "image/gif",
        "webp": "image/webp",
        "heic": "image/heic",
        "heif": "image/heif",
        "pdf": "application/pdf",
        "txt": "text/plain",
        "md": "text/markdown",
        "csv": "text/csv",
        "html": "text/html",
        "htm": "text/html",
        "xml": "text/xml",
        "json": "application/json",
        "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "mp4": "video/mp4",
        "mpeg": "video/mpeg",
        "mpg": "video/mpeg",
        "mov": "video/mov",
        "avi": "video/avi",
        "webm": "video/webm",
        "flv": "video/x-flv",
        "wmv": "video/wmv",
        "3gp": "video/3gpp",
        "mp3": "audio/mp3",
        "wav": "audio/wav",
        "flac": "audio/flac",
        "ogg": "audio/ogg",
        "aac": "audio/aac",
        "aiff": "audio/aiff",
        "m4a": "audio/m4a",
    }
)
"""The last part of a name in lower case, and its media type."""


_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
)
"""Names of media types that are not registered but often written, which providers refuse or do not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUrl:
    """A data URL taken apart: the media type in lower case without parameters, by its registered name, and padded base64."""

    media_type: str
    data: str


def read_data_url(url: str) -> DataUrl | None:
    """The parts of a data URL of base64; None for any other URL. What stands after the mark is taken as it is: the request's check has seen it."""
    if url[: len(_SCHEME)].lower() != _SCHEME:
        return None
    comma = url.find(",", 0, _LONGEST_HEAD)
    head = url[len(_SCHEME) : comma].lower() if comma > 0 else ""
    if not head.endswith(_BASE64):
        return None
    media_type = head.removesuffix(_BASE64).partition(";")[0].strip()
    media_type = _ALIASES.get(media_type, media_type) or "text/plain"
    return DataUrl(media_type=media_type, data=url[comma + 1 :])


def write_data_url(media_type: str, data: str) -> str:
    """The data URL of padded base64."""
    return f"data:{media_type};base64,{data}"


def guess_type(name: str) -> str | None:
    """The media type that the end of a file's name, or of a URL's path, stands for; None where it stands for none that is known."""
    path = unquote(urlsplit(name).path) if "://" in name else name
    _, dot, ending = path.rpartition(".")
    return _TYPES.get(ending.lower()) if dot else None


def audio_format(media_type: str) -> str | None:
    """The word of `input_audio.format` for a media type, whose parameters do not count; None where there is none."""
    return _AUDIO_FORMATS.get(media_type.partition(";")[0].strip().lower())
