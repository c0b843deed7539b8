# SPDX-License-Identifier: Apache-2.0
"""The faces of other vendors in the OpenAPI document: where they are, what they need, how they fail.

Their languages are the vendors' and are documented by them, so a body here is an object with the keys that are needed, and an answer an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trunkline_server.edge.http.exchange import JSON
from trunkline_server.edge.http.sse import EVENTS

TAG: Final = "Faces"
_TAG: Final = {
    "name": TAG,
    "description": "The same models in the languages of other APIs, for programs that speak those. The vendors document them; what differs here is said in docs/faces.md.",
}
_TEXT: Final = {"type": "string"}
_MODEL: Final = {"type": ["string", "null"], "description": "The slug of a model, as in chat completions."}
_STREAM: Final = {"type": ["boolean", "null"], "description": "Whether the answer comes as server-sent events."}
_KEY: Final = {
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "A key of this gateway, where Anthropic's SDKs send it: on `/messages` alone.",
    }
}
_ERRORS: Final[Mapping[str, Any]] = {
    "AnthropicFailure": {
        "type": "object",
        "description": "A failure in Anthropic's words; `error.error_type`, `metadata` and `openrouter_metadata` say more in the gateway's.",
        "required": ["type", "error", "request_id"],
        "properties": {
            "type": {"const": "error", "description": "Always `error`."},
            "error": {
                "type": "object",
                "description": "The kind of failure and what to do.",
                "required": ["type", "message"],
                "properties": {"type": _TEXT, "message": _TEXT, "error_type": _TEXT},
            },
            "request_id": _TEXT,
        },
    },
    "OpenAiFailure": {
        "type": "object",
        "description": "A failure in OpenAI's words; `error.metadata` and `openrouter_metadata` say more in the gateway's.",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "description": "The kind of failure, the parameter that it is about, and what to do.",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": {"type": ["string", "null"], "description": "The path of the faulty parameter."},
                    "code": _TEXT,
                },
            }
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One face: `needed` are the keys without which a body is refused, `link` is the vendor's own description."""

    operation_id: str
    summary: str
    link: str
    needed: Mapping[str, Any]
    failure: str
    security: Sequence[str] = ("bearer",)


_ENTRIES: Final[Mapping[str, _Entry]] = {
    "/messages": _Entry(
        operation_id="createMessage",
        summary="Answers a conversation in the language of Anthropic's Messages API",
        link="https://platform.claude.com/docs/en/api/messages",
        needed={
            "max_tokens": {"type": "integer", "minimum": 1, "description": "The most tokens of the answer."},
            "messages": {"type": "array", "minItems": 1, "description": "The conversation."},
        },
        failure="AnthropicFailure",
        security=("bearer", "key"),
    ),
    "/responses": _Entry(
        operation_id="createResponse",
        summary="Answers a conversation in the language of OpenAI's Responses API, without storing it",
        link="https://platform.openai.com/docs/api-reference/responses",
        needed={"input": {"type": ["string", "array"], "description": "The conversation: a text, or items."}},
        failure="OpenAiFailure",
    ),
    "/completions": _Entry(
        operation_id="createCompletion",
        summary="Answers a text in the language of OpenAI's legacy Completions API",
        link="https://platform.openai.com/docs/api-reference/completions",
        needed={"prompt": {"type": ["string", "array"], "minLength": 1, "description": "The text; a list holds one."}},
        failure="OpenAiFailure",
    ),
}


def add_faces(document: dict[str, Any], headers: Sequence[str]) -> None:
    """Adds the faces to a document. `headers` are the names of those that stand on every answer, which the document has."""
    document["tags"].append(_TAG)
    document["paths"].update({path: {"post": _operation(entry, headers)} for path, entry in _ENTRIES.items()})
    document["paths"] = dict(sorted(document["paths"].items()))
    document["components"]["schemas"].update(_ERRORS)
    document["components"]["securitySchemes"].update(_KEY)


def _operation(entry: _Entry, headers: Sequence[str]) -> dict[str, Any]:
    keys = {"model": _MODEL, "stream": _STREAM, **entry.needed}
    body = {"type": "object", "required": list(entry.needed), "properties": keys}
    on_all = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    failure = {
        "description": "A failure, in the envelope of this language.",
        "headers": on_all,
        "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{entry.failure}"}}},
    }
    answers = {JSON: {"schema": {"type": "object"}}, EVENTS: {"schema": {"type": "object"}}}
    return {
        "operationId": entry.operation_id,
        "tags": [TAG],
        "summary": entry.summary,
        "externalDocs": {"url": entry.link},
        "security": [{name: []} for name in entry.security],
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "responses": {
            "200": {
                "description": "An answer, whole. With `stream` true its events instead.",
                "headers": on_all,
                "content": answers,
            },
            "4XX": failure,
            "5XX": failure,
        },
    }
