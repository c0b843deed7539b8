# SPDX-License-Identifier: Apache-2.0
"""Fetches what requests name by URL, for providers that cannot, without letting a request reach into the gateway's own network.

Theory. A name is looked up once, every address that it has must be public, and the connection goes to one of exactly these: looking it up again would give the
name's owner a second answer, made for us. A redirect is a new URL and is judged as one. Nothing of the gateway's is sent along: no key, no cookie, no proxy of
the environment. The size is counted as it comes, whatever the server announces, and nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ssl import SSLContext
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.upstream.addresses import is_public
from trunkline_server.upstream.resolver import LookUp, Resolver
from trunkline_server.upstream.sniff import fits, sniff

_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BLOCK_BYTES: Final = 64 << 10
_MOST_AT_ONCE: Final = 32
_GONE: Final = frozenset({404, 410})
_NUMBER: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """What may be fetched. `hosts` are patterns of the hosts that may be (empty: all public ones)."""

    enabled: bool = True
    hosts: Sequence[str] = ()
    max_bytes: int = 20 << 20
    timeout_s: float = 15.0


class MediaFetcher:
    """Fetches for all calls of a gateway. Must be used within one running event loop.

    `look_up` is the way from names to addresses, `is_allowed` the judge of addresses, `ssl` replaces the system's trust: all three for tests.
    """

    def __init__(
        self,
        rules: FetchRules,
        *,
        look_up: LookUp = socket.getaddrinfo,
        is_allowed: Callable[[str], bool] = is_public,
        ssl: SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._resolver = Resolver(look_up)
        self._is_allowed = is_allowed
        self._ssl = ssl
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)

    async def fetch(self, url: str, kind: str) -> str:
        """What is at a URL, as a data URL. `kind` is "image", "file", "audio" or "video".

        Raises GatewayError: IMAGE_DOWNLOAD_FAILED, IMAGE_NOT_FOUND, IMAGE_TOO_LARGE, UNSUPPORTED_IMAGE_FORMAT.
        """
        rules = self._rules
        if not rules.enabled:
            raise _failed(f"This gateway fetches no URLs: send the {kind} as a data URL.")
        try:
            async with asyncio.timeout(rules.timeout_s), self._places:
                data, declared = await self._follow(url, kind)
        except TimeoutError as error:
            raise _failed(f"The URL of the {kind} did not answer in time.") from error
        media_type = await asyncio.to_thread(sniff, data, declared)
        if media_type is None or not fits(media_type, kind):
            reason = ErrorReason.ERROR_REASON_UNSUPPORTED_IMAGE_FORMAT
            raise GatewayError(reason, f"What is at the URL of the {kind} is of no known format.")
        return await asyncio.to_thread(_write_url, media_type, data)

    async def _follow(self, text: str, kind: str) -> tuple[bytes, str]:
        """The bytes at a URL, and the server's word for what they are."""
        url = _read_url(text, kind)
        for _ in range(_MOST_REDIRECTS + 1):
            found = await self._get(url, kind)
            if not isinstance(found, URL):
                return found
            url = found
        raise _failed(f"The URL of the {kind} redirects too often.")

    async def _get(self, url: URL, kind: str) -> tuple[bytes, str] | URL:
        """What a URL answers: bytes and their type, or where it redirects to."""
        addresses = await self._check(url, kind)
        connector = aiohttp.TCPConnector(resolver=_Pinned(addresses), ssl=self._ssl or True, use_dns_cache=False)
        headers = {"user-agent": "trunkline", "accept": "*/*", "accept-encoding": "identity"}
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers=headers,
                    auto_decompress=False,
                    trust_env=False,
                ) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                if answer.status in _REDIRECTS:
                    return _join(url, answer.headers.get("location", ""), kind)
                return await self._read(answer, kind)
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise _failed(f"The URL of the {kind} cannot be read.") from error

    async def _check(self, url: URL, kind: str) -> list[ResolveResult]:
        """The addresses of a URL's host. Raises GatewayError unless it may be fetched from, and all of them may be connected to."""
        host = (url.raw_host or "").rstrip(".").lower()
        hosts = self._rules.hosts
        if hosts and not any(fnmatchcase(host, pattern.lower()) for pattern in hosts):
            raise _refused(kind)
        if not _is_literal(host) and _NUMBER.fullmatch(host.rpartition(".")[2]):
            raise _refused(
                kind
            )  # 127.1, 0x7f.1, 2130706433: other ways of writing an address, which systems read differently
        try:
            found = await self._resolver.resolve(host, url.port or 0, socket.AF_UNSPEC)
        except (OSError, ValueError) as error:  # ValueError: what is no name at all, with an empty or a long part
            raise _failed(f"The host of the {kind}'s URL is not known.") from error
        if not found or not all(self._is_allowed(address["host"]) for address in found):
            raise _refused(kind)
        return found

    async def _read(self, answer: aiohttp.ClientResponse, kind: str) -> tuple[bytes, str]:
        if answer.status in _GONE:
            raise GatewayError(ErrorReason.ERROR_REASON_IMAGE_NOT_FOUND, f"There is nothing at the URL of the {kind}.")
        if answer.status != 200:
            raise _failed(f"The URL of the {kind} answers with status {answer.status}.")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise _failed(f"The URL of the {kind} answers compressed, unasked.")
        most = self._rules.max_bytes
        data = bytearray()
        if (answer.content_length or 0) <= most:
            async for block in answer.content.iter_chunked(_BLOCK_BYTES):
                data += block
                if len(data) > most:
                    break
        if len(data) > most or (answer.content_length or 0) > most:
            reason = ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE
            raise GatewayError(reason, f"What is at the URL of the {kind} has more than {most} bytes.")
        return bytes(data), answer.content_type.lower()


class _Pinned(AbstractResolver):
    """Knows the checked addresses and nothing else."""

    def __init__(self, addresses: list[ResolveResult]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - all of them were checked
    ) -> list[ResolveResult]:
        """The checked addresses, whatever is asked."""
        return [{**address, "hostname": host, "port": port} for address in self._addresses]

    async def close(self) -> None:
        """Nothing is held."""


def _read_url(text: str, kind: str) -> URL:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise _refused(kind)
    try:
        url = URL(text)
        usable = url.scheme in {"http", "https"} and url.raw_host and url.port not in {None, 0} and not url.user
    except ValueError as error:
        raise _refused(kind) from error
    if not usable or url.password is not None:
        raise _refused(kind)
    return url.with_fragment(None)


def _join(url: URL, location: str, kind: str) -> URL:
    try:
        return _read_url(str(url.join(URL(location))), kind)
    except ValueError as error:
        raise _refused(kind) from error


def _write_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _is_literal(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def _refused(kind: str) -> GatewayError:
    return _failed(f"The gateway does not fetch from the host of the {kind}'s URL: it is not public, or not allowed.")


def _failed(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_IMAGE_DOWNLOAD_FAILED, message)
