# SPDX-License-Identifier: Apache-2.0
"""Content parts as Google's parts: text, inlineData, fileData."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.dialects.gemini.families import Family
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.media import AUDIO_TYPES, DataUrl, guess_type, read_data_url
from trunkline_server.dialects.turns import as_parts

FETCHED_URLS: Final = frozenset(
    {
        "https://generativelanguage.googleapis.com/",
        "https://www.youtube.com/",
        "https://youtube.com/",
        "https://m.youtube.com/",
        "https://youtu.be/",
        "gs://",
    }
)
"""What begins the URLs that Google reads for every model: its Files API, YouTube, its storage."""

CONTENT: Final = "messages.content"
FILES_URL: Final = "https://generativelanguage.googleapis.com/v1beta/"
_FETCHED: Final = tuple(FETCHED_URLS)
_PUBLIC: Final = "https://"
_FILES_PREFIX: Final = "files/"
_ANY_AUDIO: Final = "audio/"
_PDF: Final = "application/pdf"
_PLAIN: Final = frozenset({"type"})
_IMAGE_KEYS: Final = frozenset({"url", "detail"})
_SOUND_KEYS: Final = frozenset({"data", "format"})
_VIDEO_KEYS: Final = frozenset({"url"})
_FILE_KEYS: Final = frozenset({"file_data", "file_id"})


def can_read(url: str, family: Family) -> bool:
    """Whether Google reads a URL itself.

    Since January 2026 it fetches public https URLs, but not for models of generation 2.0 (ai.google.dev/gemini-api/docs/file-input-methods), and not well
    for those of 2.5; it has to be told the media type, which only the URL's path can tell here.
    """
    if url.startswith(_FETCHED):
        return True
    return family.is_current and url.startswith(_PUBLIC) and guess_type(url) is not None


def render_content(content: object, family: Family, report: Report) -> list[dict[str, Any]]:
    """The parts of a message's content. Raises GatewayError (INVALID_REQUEST) for a URL that is neither data nor read by Google."""
    return [made for part in as_parts(content) for made in _render_part(part, family, report)]


def inline(media: DataUrl) -> dict[str, Any]:
    """A part that holds data."""
    return {"inlineData": {"mimeType": media.media_type, "data": media.data}}


def render_url(url: str, field: str, family: Family) -> dict[str, Any]:
    """A part for what stands behind a URL. `field` is its JSON path, for the failure."""
    media = read_data_url(url)
    if media is not None:
        return inline(media)
    if can_read(url, family):
        return _file(url, guess_type(url))
    raise _unfetchable(url, field)


def _render_part(part: Mapping[str, Any], family: Family, report: Report) -> Iterator[dict[str, Any]]:
    kind = part["type"]
    report.drop_others(CONTENT, part, _PLAIN | {_key_of(kind)})
    match kind:
        case "text":
            if part["text"]:
                yield {"text": part["text"]}
        case "refusal":
            yield {"text": part["refusal"]}
        case "image_url":
            image = part["image_url"]
            report.drop_others(f"{CONTENT}.image_url", image, _IMAGE_KEYS)
            yield render_url(image["url"], f"{CONTENT}.image_url.url", family)
        case "input_audio":
            sound = part["input_audio"]
            report.drop_others(f"{CONTENT}.input_audio", sound, _SOUND_KEYS)
            word = sound["format"]
            yield inline(DataUrl(media_type=AUDIO_TYPES.get(word, _ANY_AUDIO + word), data=sound["data"]))
        case "video_url" | "input_video":
            video = part[_key_of(kind)]
            report.drop_others(f"{CONTENT}.video_url", video, _VIDEO_KEYS)
            yield render_url(video["url"], f"{CONTENT}.video_url.url", family)
        case "file":
            yield _render_file(part.get("file", {}), family, report)
        case _:
            report.drop(f"{CONTENT}.{kind}")


def _key_of(kind: str) -> str:
    return "video_url" if kind == "input_video" else kind


def _render_file(file: Mapping[str, Any], family: Family, report: Report) -> dict[str, Any]:
    """A document: data, a URL that Google reads, or the name of a file in its Files API."""
    report.drop_others(f"{CONTENT}.file", file, _FILE_KEYS)
    name, text = file.get("filename", ""), file.get("file_data")
    if text is None:
        own_id = file.get("file_id", "")
        url = FILES_URL + own_id if own_id.startswith(_FILES_PREFIX) else own_id
        if not can_read(url, family):
            raise _unfetchable(own_id, f"{CONTENT}.file.file_id")
        return _file(url, guess_type(name) or guess_type(url))
    if ":" in text[:16]:
        return render_url(text, f"{CONTENT}.file.file_data", family)
    return inline(DataUrl(media_type=guess_type(name) or _PDF, data=text))


def _file(url: str, media_type: str | None) -> dict[str, Any]:
    """A part that names a file. Google finds out the media type of its own files and of YouTube's."""
    data = {"fileUri": url} if media_type is None else {"mimeType": media_type, "fileUri": url}
    return {"fileData": data}


def _unfetchable(url: str, field: str) -> GatewayError:
    message = f"The provider cannot fetch {url[:200]!r}. Send a data URL, or the URI of a file that Google holds."
    fault = FieldFault(field=field, description="must be a data URL, or a URL that the provider reads")
    return GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=[fault])
