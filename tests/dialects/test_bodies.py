# SPDX-License-Identifier: Apache-2.0
"""Bodies of answers by what they turn out to be, whatever the dialect."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.bodies import (
    MAX_ERROR_BYTES,
    ErrorBody,
    Sniffer,
    WholeBody,
    invalid_answer,
    is_declared_stream,
)


class Whole(WholeBody):
    """Keeps what it was given."""

    def __init__(self, limit_bytes: int = 100) -> None:
        super().__init__(limit_bytes)
        self.value: Any = None

    def read(self, value: Any) -> Batch:
        self.value = value
        return []


class Either(Sniffer):
    """Keeps what it chose."""

    chosen = ""

    def whole(self) -> AnswerDecoder:
        self.chosen = "whole"
        return Whole()

    def stream(self) -> AnswerDecoder:
        self.chosen = "stream"
        return Whole()


class Error(ErrorBody):
    """Tells the body."""

    def tell(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return invalid_answer(f"{status} {dict(headers)} {len(body)}")


@pytest.mark.parametrize(
    ("blocks", "declared", "chosen"),
    [
        ([b"{}"], False, "whole"),
        ([b" \n", b"\xef\xbb\xbf[]"], True, "whole"),
        ([b"data: {}"], False, "stream"),
        ([b": ping"], False, "stream"),
        ([b"event: x"], False, "stream"),
        ([b"nonsense"], True, "stream"),
    ],
)
def test_the_first_byte_tells(blocks: list[bytes], declared: bool, chosen: str) -> None:
    """The content type is not believed, but for what begins with nothing known."""
    sniffer = Either(is_declared_stream=declared)
    for block in blocks:
        assert sniffer.feed(block) == []
    assert sniffer.chosen == chosen
    assert not sniffer.finished


@pytest.mark.parametrize(("block", "declared"), [(b"<html>", True), (b"nonsense", False), (b" ", True)])
def test_what_is_no_answer(block: bytes, declared: bool) -> None:
    """Markup, other text, and nothing at all are invalid."""
    sniffer = Either(is_declared_stream=declared)
    with pytest.raises(GatewayError) as caught:
        sniffer.close() if sniffer.feed(block) == [] else None
    assert reason_name(caught.value.reason) == "PROVIDER_INVALID_RESPONSE"


def test_a_whole_body_is_read_when_it_has_ended() -> None:
    """Broken UTF-8 is replaced; long numbers keep their digits."""
    body = Whole()
    assert (body.feed(b'{"a": 1234567890123456'), body.feed(b'7890123, "b": "\xff"}'), body.close()) == ([], [], [])
    assert orjson.dumps(body.value) == '{"a":12345678901234567890123,"b":"\ufffd"}'.encode()
    assert not body.finished


@pytest.mark.parametrize("block", [b"{", b"x" * 101])
def test_a_body_that_is_broken_or_too_large(block: bytes) -> None:
    """Both are invalid."""
    body = Whole()
    with pytest.raises(GatewayError, match=r"not JSON|more than 100 bytes"):
        body.close() if body.feed(block) == [] else None


def test_an_errors_body_is_read_as_far_as_it_is_of_use() -> None:
    """The rest is not kept."""
    error = Error(500, {"a": "b"})
    error.feed(b"x" * (MAX_ERROR_BYTES - 1))
    assert not error.finished
    error.feed(b"xx")
    assert error.finished
    with pytest.raises(GatewayError, match=f"500 .* {MAX_ERROR_BYTES}$"):
        error.close()


@pytest.mark.parametrize(
    ("content_type", "told"), [("Text/Event-Stream; charset=utf-8", True), ("application/json", False), ("", False)]
)
def test_the_content_type(content_type: str, told: bool) -> None:
    """A stream's, in any case and with parameters."""
    assert is_declared_stream({"content-type": content_type}) is told
    assert not is_declared_stream({})
