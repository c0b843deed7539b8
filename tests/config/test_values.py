# SPDX-License-Identifier: Apache-2.0
"""Secrets and addresses."""

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from trunkline_server.config.values import Listen, SecretText, check_network, is_loopback_host
from trunkline_server.core.secret import Secret

TEXT = "sk-very-secret"


class Holder(BaseModel):
    """A model with both kinds."""

    secret: SecretText
    listen: Listen = Listen(host="::1", port=1)


@pytest.mark.parametrize(
    "printed",
    [
        repr(Secret(TEXT)),
        str(Secret(TEXT)),
        f"{Secret(TEXT)}",
        repr(Holder(secret=Secret(TEXT))),
        str(Holder.model_validate({"secret": TEXT}).model_dump()),
        Holder.model_validate({"secret": TEXT}).model_dump_json(),
        str([Secret(TEXT)]),
    ],
)
def test_a_secret_is_never_printed(printed: str) -> None:
    """Whatever is printed of it is three stars."""
    assert "***" in printed
    assert TEXT not in printed


def test_a_secret_is_revealed_when_asked() -> None:
    """The one who sends it gets it, without the line end of the file it was kept in."""
    assert Holder.model_validate({"secret": TEXT + "\n"}).secret.reveal() == TEXT


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "ключ", 5, None])
def test_no_secret(text: object) -> None:
    """What no header could carry is refused, without showing it."""
    with pytest.raises(ValidationError, match="printable ASCII"):
        Holder.model_validate({"secret": text})


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:0", "localhost", 0),
        ("[::1]:50051", "::1", 50051),
        (" gateway.internal:65535 ", "gateway.internal", 65535),
    ],
)
def test_an_address(text: str, host: str, port: int) -> None:
    """Host and port are read, and written again as they were."""
    listen = Listen.read(text)
    assert (listen.host, listen.port, str(listen)) == (host, port, text.strip())


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "host", "host:", "host:-1", "host:65536", "::1:80", "http://h:80", "a b:1", 8080]
)
def test_no_address(text: object) -> None:
    """A missing host is not guessed: it could mean this machine or all the world."""
    with pytest.raises(ValueError, match=r"address|port"):
        Listen.read(text)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104 - a word to be judged, not an address to bind
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, is_loopback: bool) -> None:
    """Only addresses that no other machine can reach are loopback."""
    assert is_loopback_host(host) is is_loopback
    assert Listen(host=host, port=1).is_loopback is is_loopback


@pytest.mark.parametrize("text", ["10.1.2.0/24", "fd00::/8", "127.0.0.1"])
def test_networks(text: str) -> None:
    """A network is an address and the length of its prefix."""
    assert check_network(text) == text


@pytest.mark.parametrize("text", ["", "10.1.2.3/24", "10.0.0.0/33", "localhost", "*"])
def test_what_is_no_network(text: str) -> None:
    """Anything else is a fault."""
    with pytest.raises(PydanticCustomError, match="prefix"):
        check_network(text)
