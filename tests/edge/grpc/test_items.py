# SPDX-License-Identifier: Apache-2.0
"""Counting what a message holds before it is parsed."""

import pytest

from support.builders import make_message, make_request
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.edge.grpc.items import has_more_items

DESCRIPTOR = ChatCompletionRequest.DESCRIPTOR


@pytest.mark.parametrize(
    ("request_", "items"),
    [
        (ChatCompletionRequest(model="m", n=300, temperature=1.0, seed=2**40), 4),
        (make_request("hi" * 300), 5),  # model, message, user, content, text
        (make_request(messages=[make_message("x")] * 300), 1201),
        (ChatCompletionRequest(stop=["x"] * 300), 300),
        (ChatCompletionRequest(metadata={str(number): "x" for number in range(300)}), 300),
    ],
    ids=["scalars", "one message", "messages", "strings", "a map"],
)
def test_the_count_is_exact(request_: ChatCompletionRequest, items: int) -> None:
    """Every field and item counts once, a map's entry too."""
    raw = request_.SerializeToString()
    assert has_more_items(raw, DESCRIPTOR, items) is False
    assert has_more_items(raw, DESCRIPTOR, items - 1) is (len(raw) >= 2 * (items - 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"\x0a\x00" * 1000,
        b"\x0a\x80\x08" + b"\x12\x00" * 512,
        b"\x0b\x0c" * 1000,
        b"\x98\x06\x01" * 1000,
        b"\xf9\x06" * 1000,
    ],
    ids=["empty messages", "one inside another", "groups", "unknown fields", "unknown fixed fields"],
)
def test_many_items(raw: bytes) -> None:
    """What is many is found, known to the contract or not, at any depth."""
    assert has_more_items(raw, DESCRIPTOR, 150)


@pytest.mark.parametrize(
    "raw",
    [b"\xff" * 1000, b"\x0f" * 1000, b"\x0a\xff\xff\xff\xff\x7f"],
    ids=["varints", "no kind", "length"],
)
def test_no_message(raw: bytes) -> None:
    """Bytes that are no message are left for the parser to refuse."""
    assert not has_more_items(raw, DESCRIPTOR, 3)
