# SPDX-License-Identifier: Apache-2.0
"""Talking to a gateway over HTTP, for commands: blocking, with the standard library alone. Over gRPC they use the package's client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from trunkline_server.cli.terminal import CommandError
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.sse import SseDecoder

_BLOCK_BYTES: Final = 64 * 1024
_DONE: Final = b"[DONE]"
_OK: Final = 200
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGateway:
    """A gateway's HTTP edge. `url` may end in a base path (`/v1`, `/api/v1`); `timeout_s` is the longest silence."""

    url: str
    api_key: str | None = None
    timeout_s: float = 600.0

    def get(self, path: str) -> dict[str, Any]:
        """The JSON at a path below the base. Raises CommandError."""
        with self._ask("GET", path, None) as answer:
            return _read_json(answer.read())

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The JSON that a body at a path below the base is answered with. Raises CommandError."""
        with self._ask("POST", path, body) as answer:
            return _read_json(answer.read())

    def stream(self, path: str, body: Mapping[str, object]) -> Generator[dict[str, Any], None, None]:
        """The events of a streamed answer, as parsed. Closing the iterator aborts the call. Raises CommandError, also for an error event."""
        decoder = SseDecoder()
        with self._ask("POST", path, body) as answer:
            while block := answer.read1(_BLOCK_BYTES):
                for _, data in decoder.feed(block):
                    if data == _DONE:
                        return
                    event = _read_json(data)
                    if event.get("error"):
                        raise CommandError(_describe_error(event))
                    yield event
        raise CommandError("the answer broke off before its end")

    @contextmanager
    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None
    ) -> Generator[http.client.HTTPResponse, None, None]:
        """Send a request and give its answer out for reading. Leaving the context closes the connection."""
        connection, base = self._connect()
        headers = {"accept": "application/json, text/event-stream"}
        if body is not None:
            headers["content-type"] = "application/json"
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        with closing(connection):
            try:
                connection.request(method, base + path, None if body is None else json.dumps(body).encode(), headers)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                message = f"no gateway answers at {self.url} ({error}). Is `trunkline serve` running?"
                raise CommandError(message) from error
            # An answer that ends its connection keeps the socket for itself.
            with closing(answer):
                try:
                    if answer.status != _OK:
                        raise CommandError(_describe_status(answer.status, answer.read(_BLOCK_BYTES)))
                    yield answer
                except (OSError, http.client.HTTPException, GatewayError) as error:
                    raise CommandError(f"the answer broke off: {error}") from error

    def _connect(self) -> tuple[http.client.HTTPConnection, str]:
        try:
            parts = urlsplit(self.url if "//" in self.url else f"http://{self.url}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in {"http", "https"} or not host:
            raise CommandError(f"{self.url} is no URL such as http://127.0.0.1:8080", status=2)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(host, port, timeout=self.timeout_s), parts.path.rstrip("/") or "/v1"


def _read_json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandError("the answer is not JSON: is there a gateway at this address?") from error
    if not isinstance(value, dict):
        raise CommandError("the answer is not of the API's form: is there a gateway at this address?")
    return value


def _describe_status(status: int, text: bytes) -> str:
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    if not isinstance(body, dict) or not isinstance(body.get("error"), dict):
        return f"the gateway answered with HTTP status {status}"
    hint = " Say it with --key, or in the variable TRUNKLINE_API_KEY." if status == _UNAUTHORIZED else ""
    return _describe_error(body) + hint


def _describe_error(body: Mapping[str, Any]) -> str:
    error = body["error"] if isinstance(body["error"], dict) else {"message": body["error"]}
    return f"{error.get('message', 'the call failed')} [HTTP {error.get('code', '?')}]"
