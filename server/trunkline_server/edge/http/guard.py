# SPDX-License-Identifier: Apache-2.0
"""What is checked of a request's head: its Host, where it came from, its content type, what it accepts.

A gateway without keys would let any web page spend the user's money: a page can send requests to loopback, and with a name that it rebinds to 127.0.0.1
even read the answers. So without keys the Host must be a loopback name, a page of another site is refused by its Origin, and a POST must be
`application/json`, which a page cannot send to another site without asking first (and nobody answers that question).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from aiohttp import hdrs

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.request import Request

_AUTHORITY: Final = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_ORIGIN: Final = re.compile(r"https?://(?P<authority>[^/?#@\s]{1,300})")
_USUAL_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_RANGE: Final = re.compile(rf"\s*(?P<kind>{_NAME})/(?P<part>{_NAME})\s*(?P<parameters>;.*)?", re.DOTALL)
_NOT_WANTED: Final = re.compile(r";\s*q\s*=\s*0(\.0{0,3})?\s*(;|$)", re.IGNORECASE)
_ANYTHING: Final = "*/*"
_SHOWN: Final = 100


def check_host(request: Request, *, loopback_only: bool) -> None:
    """Raises GatewayError: INVALID_REQUEST for a Host that is none, PERMISSION_DENIED for one that is not loopback where only that is served."""
    hosts = request.headers.getall(hdrs.HOST, ())
    if not hosts and request.version < (1, 1):
        return
    if len(hosts) != 1 or (name := authority_name(hosts[0])) is None:
        raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, "One well-formed Host header is due.")
    if loopback_only and not is_loopback(name):
        raise _denied(
            f"This gateway has no keys set, so it answers loopback Host names only (localhost, 127.0.0.1, [::1]), not {hosts[0][:_SHOWN]!r}. "
            "Set keys to serve other names."
        )


def check_header_names(request: Request) -> None:
    """Raises GatewayError (INVALID_REQUEST) for a name with `_`: servers that turn `-` into `_` would take it for another header."""
    for name, _ in request.raw_headers:
        if b"_" in name:
            raise GatewayError(
                ErrorReason.ERROR_REASON_INVALID_REQUEST,
                f"Header names have no underscore; {name[:_SHOWN].decode('latin-1')!r} has one.",
            )


def check_origin(request: Request) -> None:
    """Raises GatewayError (PERMISSION_DENIED) where a web page of another site sent the request. A page on loopback is fine."""
    host = request.headers.get(hdrs.HOST, "").lower()
    for origin in request.headers.getall(hdrs.ORIGIN, ()):
        match = _ORIGIN.fullmatch(origin.lower())
        name = authority_name(match["authority"]) if match else None
        if match is None or name is None or not (is_loopback(name) or match["authority"] == host):
            raise _denied(
                f"This gateway has no keys set, so pages of other sites may not use it; this one is {origin[:_SHOWN]!r}."
            )


def check_content_type(request: Request) -> None:
    """Raises GatewayError (UNSUPPORTED_MEDIA_TYPE) unless the body is declared to be JSON."""
    declared = request.headers.getall(hdrs.CONTENT_TYPE, ())
    if len(declared) != 1 or declared[0].partition(";")[0].strip().lower() != "application/json":
        came = repr(declared[0][:_SHOWN]) if declared else "none"
        raise GatewayError(
            ErrorReason.ERROR_REASON_UNSUPPORTED_MEDIA_TYPE, f"The content type must be application/json, not {came}."
        )


def check_accept(request: Request, *offered: str) -> None:
    """Raises GatewayError (NOT_ACCEPTABLE) where the Accept header takes none of the media types that an answer may have. What is no media range in it does not count."""
    headers = request.headers.getall(hdrs.ACCEPT, ())
    if not headers or (len(headers) == 1 and (headers[0] == _ANYTHING or headers[0] in offered)):  # the usual ones
        return
    ranges = [
        (found["kind"].lower(), found["part"].lower(), not _NOT_WANTED.search(found["parameters"] or ""))
        for header in headers
        for text in header.split(",")
        if (found := _MEDIA_RANGE.fullmatch(text))
    ]
    if ranges and not any(_takes(ranges, media_type) for media_type in offered):
        raise GatewayError(
            ErrorReason.ERROR_REASON_NOT_ACCEPTABLE,
            f"This answer comes as {' or '.join(offered)}, which the Accept header does not take.",
        )


def _takes(ranges: Sequence[tuple[str, str, bool]], media_type: str) -> bool:
    """Whether the closest of the ranges that hold a media type wants it (RFC 9110, section 12.5.1)."""
    kind, _, part = media_type.partition("/")
    for closest in ((kind, part), (kind, "*"), ("*", "*")):
        wanted = [is_wanted for *held, is_wanted in ranges if tuple(held) == closest]
        if wanted:
            return any(wanted)
    return False


def authority_name(authority: str) -> str | None:
    """The host name of `name`, `name:port` or `[address]:port`, in lower case. None where the text is no authority."""
    match = _AUTHORITY.fullmatch(authority)
    return match["name"].lower() if match else None


def is_loopback(name: str) -> bool:
    """Whether a host name means this machine by itself: no name that somebody's DNS could point here."""
    if name in _USUAL_LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def authorization(request: Request) -> Sequence[str]:
    """All values of the `authorization` header: more than one is a fault that admission tells."""
    return request.headers.getall(hdrs.AUTHORIZATION, ())


def _denied(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PERMISSION_DENIED, message)
