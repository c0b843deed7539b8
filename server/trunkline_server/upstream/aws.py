# SPDX-License-Identifier: Apache-2.0
"""Requests signed for AWS (Signature Version 4) by botocore, which is imported with the first request: it belongs to the extra `[bedrock]`.

Keys are the settings', else what botocore's own chain finds: variables, files, the machine's role. Finding and renewing them may block on the network, so both are
done in a thread, and so is the hashing of large bodies.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.auth import bearer_headers

if TYPE_CHECKING:
    from botocore.credentials import Credentials

BEARER_VARIABLE: Final = "AWS_BEARER_TOKEN_BEDROCK"
"""The variable with a key of Bedrock's own, which is shown as a bearer's and needs no signature."""
NOT_INSTALLED: Final = "This provider needs the package botocore: install `trunkline[server,bedrock]`."

_SERVICE: Final = "bedrock"
_PAUSE_S: Final = 10.0
"""How long keys that were not found are not looked for again: looking takes seconds, of one thread each."""
_SIGNED: Final = frozenset({"content-type"})
_MADE: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsKeys:
    """Keys of an AWS account; a session's token where they are lent."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret | None = None


class AwsSigner:
    """Signs the requests to one region. `keys` are the settings' (None: botocore finds some); `environment` is where the bearer's key may stand."""

    def __init__(
        self, region: str, keys: AwsKeys | None = None, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._region = region
        self._keys = keys
        self._environment = os.environ if environment is None else environment
        self._found: Credentials | None = None
        self._finding = threading.Lock()
        self._not_before_s = 0.0

    async def sign(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers of a signed request. Raises GatewayError (FEATURE_UNAVAILABLE without botocore, PROVIDER_AUTHENTICATION without keys)."""
        bearer = self._environment.get(BEARER_VARIABLE, "").strip() if self._keys is None else ""
        if bearer:
            try:
                return bearer_headers(Secret(bearer))
            except ValueError as error:
                raise _no_keys() from error
        return await asyncio.to_thread(self._sign, url, headers, body)

    def _sign(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        try:
            from botocore.auth import SigV4Auth  # noqa: PLC0415 - the package is an extra
            from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - as above
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above
        except ImportError as error:
            raise GatewayError(ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE, NOT_INSTALLED) from error
        try:
            frozen = self._credentials().get_frozen_credentials()
            signed = {name: value for name, value in headers.items() if name in _SIGNED}
            request = AWSRequest(method="POST", url=url, data=body, headers=signed)
            SigV4Auth(frozen, _SERVICE, self._region).add_auth(request)
        except (BotoCoreError, ClientError) as error:
            # The latter where a role was refused. botocore's messages tell of files and roles of this machine; the log has them.
            raise _no_keys() from error
        return {name.lower(): value for name, value in request.headers.items() if name.lower() in _MADE}

    def _credentials(self) -> Any:
        """Credentials that renew themselves. Raises GatewayError where there are none."""
        with self._finding:
            if self._found is None and time.monotonic() >= self._not_before_s:
                try:
                    self._found = self._find()
                finally:
                    self._not_before_s = time.monotonic() + _PAUSE_S
            if self._found is None:
                raise _no_keys()
            return self._found

    def _find(self) -> Credentials | None:
        from botocore.credentials import Credentials  # noqa: PLC0415 - the package is an extra
        from botocore.session import Session  # noqa: PLC0415 - as above

        keys = self._keys
        if keys is None:
            found: Credentials | None = Session().get_credentials()
            return found
        token = keys.session_token.reveal() if keys.session_token is not None else None
        return Credentials(keys.access_key_id.reveal(), keys.secret_access_key.reveal(), token)


def _no_keys() -> GatewayError:
    reason = ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION
    return GatewayError(reason, "The gateway has no valid AWS credentials for this provider.")
