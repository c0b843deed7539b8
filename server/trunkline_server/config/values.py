# SPDX-License-Identifier: Apache-2.0
"""Kinds of settings that pydantic does not have: a secret that cannot be printed by accident, and an address to listen on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, Final

from pydantic import GetCoreSchemaHandler, PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError, core_schema

from trunkline_server.core.secret import Secret

_HIGHEST_PORT: Final = 65535
_LISTEN: Final = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:.%]+)\]|(?P<plain>[^\[\]:\s/]+)):(?P<port>[0-9]{1,5})")


def read_secret(value: object) -> Secret:
    """A secret from a text that a header can carry. Raises PydanticCustomError, which does not show it."""
    if isinstance(value, Secret):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not text or not text.isascii() or not text.isprintable():
        raise PydanticCustomError("secret", "a secret is a text of printable ASCII characters that is not empty")
    return Secret(text)


SecretText = Annotated[Secret, PlainValidator(read_secret), PlainSerializer(repr)]
"""A secret as a setting: read from a text, always written as `***`."""


def check_network(text: str) -> str:
    """A network in CIDR. Raises PydanticCustomError for what is none."""
    try:
        ip_network(text)
    except ValueError as error:
        raise PydanticCustomError(
            "network", "a network is written as an address and the length of its prefix, such as 10.1.2.0/24"
        ) from error
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to accept connections. `port` 0 means any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach it."""
        return is_loopback_host(self.host)

    def __str__(self) -> str:
        return join_host_port(self.host, self.port)

    @classmethod
    def read(cls, value: object) -> Listen:
        """An address from `HOST:PORT`, `[IPV6]:PORT`. Raises PydanticCustomError."""
        if isinstance(value, Listen):
            return value
        match = _LISTEN.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise PydanticCustomError(
                "listen", 'an address is written "HOST:PORT", such as "127.0.0.1:8080" or "[::1]:8080"'
            )
        port = int(match["port"])
        if port > _HIGHEST_PORT:
            raise PydanticCustomError("listen", "a port is at most 65535")
        return cls(host=match["bracketed"] or match["plain"], port=port)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read from its text, written as its text."""
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def is_loopback_host(host: str) -> bool:
    """Tell whether a host is this machine alone: `localhost` or a loopback address, with or without brackets."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def join_host_port(host: str, port: int) -> str:
    """`HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
