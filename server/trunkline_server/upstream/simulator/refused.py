# SPDX-License-Identifier: Apache-2.0
"""The one exception inside the simulator, and its JSON body."""

from __future__ import annotations

from typing import Any


class RefusedError(Exception):
    """The simulator does not answer this request.

    `status` is the HTTP status; `param` the JSON path of what is wrong (None: the request as a whole); `code` a word for programs (None: there is none).
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code


def error_object(message: str, *, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An OpenAI-shaped error body; its `type` follows from the status."""
    return {"error": {"message": message, "type": _error_type(status), "param": param, "code": code}}


def _error_type(status: int) -> str:
    by_status = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return by_status.get(status, "invalid_request_error" if 400 <= status < 500 else "server_error")
