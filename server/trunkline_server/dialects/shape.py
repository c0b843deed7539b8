# SPDX-License-Identifier: Apache-2.0
"""Dialects as those speak them who offer another maker's wire: Azure, Vertex and Bedrock have paths, fields and a framing of their own around it.

What differs is data of the provider's row (`catalog.entry.Wire`), so a dialect knows nothing of it. An answer in AWS's binary framing tells by its content type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import orjson

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint, Wire
from trunkline_server.dialects.aws_events import Unframed, is_event_stream
from trunkline_server.dialects.base import AnswerDecoder, Dialect, RenderedRequest
from trunkline_server.dialects.upstream_json import parse_exact_json

_OK: Final = 200
# What the names of models have that a path may hold as it is. A stroke or a question mark would lead elsewhere.
_KEPT_IN_PATH: Final = ":@"


class Shaped:
    """A dialect, with what each provider wants otherwise. `unframes` is false for a dialect that reads AWS's framing itself."""

    def __init__(self, dialect: Dialect, *, unframes: bool = True) -> None:
        self._dialect = dialect
        self._unframes = unframes
        self.name = dialect.name

    def url_reader(self, endpoint: Endpoint) -> Callable[[str], bool] | None:
        """Tells of URLs in a message whether the endpoint's provider reads them itself; None: it reads all that there may be.

        Any other must have become a data URL before a request is rendered.
        """
        wire = endpoint.provider.wire
        if wire is not None and not wire.reads_urls:
            return _never
        reads = getattr(self._dialect, "reads_url", None)
        return None if reads is None else partial(_ask, reads, endpoint)

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as the endpoint's provider wants it."""
        rendered = self._dialect.render_request(request, endpoint, stream=stream)
        wire = endpoint.provider.wire
        return rendered if wire is None else _reshape(rendered, wire, endpoint.upstream_model, stream=stream)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:
        """A decoder for an answer with this head. Raises GatewayError (FEATURE_UNAVAILABLE) for AWS's framing where botocore is not installed."""
        if self._unframes and status == _OK and is_event_stream(headers):
            # What is inside is a stream of the dialect's own events.
            inside = {**headers, "content-type": "text/event-stream"}
            return Unframed(self._dialect.decoder(status=status, headers=inside), headers)
        return self._dialect.decoder(status=status, headers=headers)


def _never(_url: str) -> bool:
    return False


def _ask(reads: Callable[[str, Endpoint], bool], endpoint: Endpoint, url: str) -> bool:
    return reads(url, endpoint)


def _reshape(rendered: RenderedRequest, wire: Wire, model: str, *, stream: bool) -> RenderedRequest:
    template = wire.stream_path if stream else wire.path
    path = rendered.path if template is None else template.replace("{model}", quote(model, safe=_KEPT_IN_PATH))
    body = rendered.body
    if wire.adds or wire.removes:
        fields: dict[str, Any] = parse_exact_json(body)
        kept = {name: value for name, value in fields.items() if name not in wire.removes}
        body = bytes(memoryview(orjson.dumps({**kept, **wire.adds})))
    headers = {name: value for name, value in rendered.headers.items() if name.lower() not in wire.removes_headers}
    return replace(rendered, path=path, headers=headers, body=body)
