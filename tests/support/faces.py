# SPDX-License-Identifier: Apache-2.0
"""The faces of other vendors as a test meets them: a request in each language, and what its answers look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

USER = {"role": "user", "content": "hello"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A face: its path below a base, a whole request, and a word that stands in the event of a failed stream."""

    path: str
    asked: Mapping[str, Any]
    failed: bytes

    def body(self, **fields: Any) -> bytes:
        """The request with further fields, as JSON."""
        return orjson.dumps({**self.asked, **fields})


MESSAGES = Spoken(
    path="/v1/messages",
    asked={"model": "acme/one", "max_tokens": 64, "messages": [USER]},
    failed=b'event: error\ndata: {"type":"error"',
)
RESPONSES = Spoken(
    path="/v1/responses", asked={"model": "acme/one", "input": "hello"}, failed=b"event: response.failed\n"
)
COMPLETIONS = Spoken(
    path="/v1/completions", asked={"model": "acme/one", "prompt": "hello"}, failed=b'data: {"error":{"message":'
)
ALL = {"messages": MESSAGES, "responses": RESPONSES, "completions": COMPLETIONS}


def said(path: str, answer: Mapping[str, Any]) -> str:
    """The text of a whole answer."""
    if path.endswith("/messages"):
        return "".join(block.get("text", "") for block in answer["content"])
    if path.endswith("/responses"):
        return "".join(part["text"] for item in answer["output"] for part in item["content"])
    return str(answer["choices"][0]["text"])


def error_message(path: str, answer: Mapping[str, Any]) -> str:
    """The message of a failure, which must have all keys of the face's envelope."""
    if "/messages" in path:
        assert answer["type"] == "error"
        assert answer["request_id"].startswith("req-")
        assert set(answer["error"]) == {"type", "message", "error_type"}
    else:
        assert {"message", "type", "param", "code"} <= set(answer["error"])
    return str(answer["error"]["message"])
