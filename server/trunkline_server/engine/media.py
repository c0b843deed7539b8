# SPDX-License-Identifier: Apache-2.0
"""Puts what a request names by URL into the request itself, for a provider that cannot fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import File, ImageUrl, VideoUrl
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import MediaFetcher
from trunkline_server.dialects.base import Dialect

_WEB: Final = ("http://", "https://")
_SCHEME_LENGTH: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """Who fetches, and how many things at most for one request."""

    fetcher: MediaFetcher
    most: int


def find_reader(dialect: Dialect, endpoint: Endpoint) -> Callable[[str], bool] | None:
    """Tells of URLs whether the endpoint's provider reads them itself; None where it reads all, or nobody knows."""
    made = getattr(dialect, "url_reader", None)
    reader: Callable[[str], bool] | None = None if made is None else made(endpoint)
    return reader


async def bring_media(
    request: ChatCompletionRequest, reads: Callable[[str], bool], fetching: Fetching, left_s: float
) -> ChatCompletionRequest:
    """The request with data URLs in place of those that are not read; itself where there are none.

    `left_s` is how long the call may still take. Raises GatewayError: those of `ports.MediaFetcher`, INVALID_REQUEST for too many, DEADLINE_EXCEEDED.
    """
    named = [(url, kind) for kind, _, url in _find_urls(request) if not reads(url)]
    if not named:
        return request
    # Each place counts, also where many name the same: the data stands in all of them.
    if len(named) > fetching.most:
        message = f"The gateway fetches at most {fetching.most} URLs for one request: send the others as data URLs."
        raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message)
    wanted = list(dict.fromkeys(named))
    try:
        async with asyncio.timeout(max(left_s, 0.0)):
            found = await asyncio.gather(
                *(fetching.fetcher.fetch(url, kind) for url, kind in wanted), return_exceptions=True
            )
    except TimeoutError as error:
        raise GatewayError(ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, "The call's deadline has passed.") from error
    data: dict[tuple[str, str], str] = {}
    for key, item in zip(wanted, found, strict=True):
        if isinstance(item, BaseException):
            raise item
        data[key] = item
    return await asyncio.to_thread(_put, request, data)


def _put(request: ChatCompletionRequest, data: Mapping[tuple[str, str], str]) -> ChatCompletionRequest:
    """A copy of the request with data URLs in place of others; `data` has them by URL and kind."""
    copy = ChatCompletionRequest()
    copy.CopyFrom(request)
    for kind, part, url in _find_urls(copy):
        found = data.get((url, kind))
        if found is None:
            continue
        if isinstance(part, File):
            part.file_data = found
            if not part.filename:
                # Its type may follow from it alone.
                part.filename = url.partition("?")[0].rpartition("/")[2] or "file"
        else:
            part.url = found
    return copy


def _find_urls(request: ChatCompletionRequest) -> Iterator[tuple[str, File | ImageUrl | VideoUrl, str]]:
    """Each thing that a request names by a URL of the web: its kind, the part that names it, and the URL."""
    for message in request.messages:
        said = message.WhichOneof("message")
        for part in getattr(message, said).content if said is not None else ():
            kind = part.WhichOneof("part")
            if kind == "image_url" and _is_web(part.image_url.url):
                yield "image", part.image_url, part.image_url.url
            elif kind == "video_url" and _is_web(part.video_url.url):
                yield "video", part.video_url, part.video_url.url
            elif kind == "file" and _is_web(part.file.file_data):
                yield "file", part.file, part.file.file_data


def _is_web(url: str) -> bool:
    return url[:_SCHEME_LENGTH].lower().startswith(_WEB)
