# SPDX-License-Identifier: Apache-2.0
"""Access tokens of Google's accounts by google-auth, which is imported with the first request: it belongs to the extra `[vertex]`.

A token lasts an hour. It is renewed ahead of its end by one thread, whoever asks then still gets the old one; only without a valid token does anybody wait, and
all wait for the same renewal. Where the settings name no file, google-auth looks where it always does: GOOGLE_APPLICATION_CREDENTIALS, the user's own files,
the machine's account.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Protocol

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

NOT_INSTALLED: Final = "This provider needs the package google-auth: install `trunkline[server,vertex]`."

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_AHEAD_S: Final = 300.0
"""How long before a token's end the next one is fetched."""
_LEAST_S: Final = 10.0
"""A token that ends sooner may do so on its way."""
_PAUSE_S: Final = 10.0
"""How long a renewal that failed, with a token still valid, is not tried again."""
_TIMEOUT_S: Final = 20.0


class Renewal(Protocol):
    """Fetches a token, and may block: the token, and when it ends in Unix seconds."""

    def __call__(self) -> tuple[str, float]:
        """Raises GatewayError."""


class GoogleSigner:
    """Shows a token of one account. `renew` fetches one; `clock` tells Unix seconds."""

    def __init__(self, renew: Renewal, clock: Callable[[], float] = time.time) -> None:
        self._renew = renew
        self._clock = clock
        self._token = ""
        self._end_s = 0.0
        self._not_before_s = 0.0
        self._renewing: asyncio.Task[None] | None = None

    async def sign(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:  # noqa: ARG002 - a token is for every request
        """The header with the token. Raises GatewayError (FEATURE_UNAVAILABLE without google-auth, PROVIDER_AUTHENTICATION without an account)."""
        left_s = self._end_s - self._clock()
        if left_s < _AHEAD_S and (left_s < _LEAST_S or self._clock() >= self._not_before_s):
            renewing = self._renewing
            if renewing is None:
                renewing = self._renewing = asyncio.create_task(self._fetch())
                renewing.add_done_callback(self._note_end)
            if left_s < _LEAST_S:
                # Shielded: who leaves does not take the others' renewal along.
                await asyncio.shield(renewing)
        return {"authorization": f"Bearer {self._token}"}

    async def _fetch(self) -> None:
        self._token, self._end_s = await asyncio.to_thread(self._renew)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled() and task.exception() is not None:
            self._not_before_s = self._clock() + _PAUSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What google-auth wants of an HTTP answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class AccountRenewal:
    """Fetches tokens of the account in a file of credentials (None: of the account that google-auth finds)."""

    def __init__(self, credentials_file: str | None) -> None:
        self._file = credentials_file
        self._credentials: Any = None

    def __call__(self) -> tuple[str, float]:
        """A new token. Raises GatewayError. Only one thread at a time may call."""
        try:
            from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - the package is an extra
        except ImportError as error:
            raise GatewayError(ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE, NOT_INSTALLED) from error
        try:
            if self._credentials is None:
                self._credentials = self._find()
            self._credentials.refresh(_fetch_token)
            token, expiry = self._credentials.token, self._credentials.expiry
        except (GoogleAuthError, OSError, ValueError) as error:
            # Its messages tell of files and accounts of this machine; the log has them.
            message = "The gateway has no valid Google credentials for this provider."
            raise GatewayError(ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION, message) from error
        end_s = expiry.replace(tzinfo=UTC).timestamp() if expiry is not None else time.time() + _AHEAD_S
        return str(token), end_s

    def _find(self) -> Any:
        import google.auth  # noqa: PLC0415 - the package is an extra

        if self._file is None:
            return google.auth.default(scopes=[_SCOPE])[0]
        from google.oauth2 import service_account  # noqa: PLC0415 - as above

        account = json.loads(Path(self._file).read_text(encoding="utf-8"))
        if type(account) is not dict:
            raise ValueError("the file holds no service account")
        return service_account.Credentials.from_service_account_info(account, scopes=[_SCOPE])


def _fetch_token(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None, **_more: Any
) -> _Answer:
    """One request of google-auth's, without a proxy of the environment and without following redirects."""
    from google.auth.exceptions import TransportError  # noqa: PLC0415 - the package is an extra

    if not url.startswith(("https://", "http://")):
        raise TransportError(f"{url!r} is no address of HTTP")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310 - checked above
    try:
        try:
            answer = opener.open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return _Answer(status=answer.status, headers=dict(answer.headers), data=answer.read())
    except (OSError, HTTPException) as error:  # the latter for what is no HTTP, or is cut
        raise TransportError(error) from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing: a token's request bears a signed statement."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None
