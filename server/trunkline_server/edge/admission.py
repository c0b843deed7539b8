# SPDX-License-Identifier: Apache-2.0
"""Who calls, until when, within which limits: what both edges do before the engine hears of a call.

A key is never stored: its SHA-256 is looked up and compared in constant time. The look-up by hash tells an attacker nothing, since nobody can choose the
hash of a key that they do not know. The keys are random and long (`trunkline keys new`), so a slow hash would protect nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import Message

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import HOPS_HEADER, Call, Principal, make_generation_id
from trunkline_server.core.checks import check_request
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.dialects.passed import PASSED_HEADERS

ANONYMOUS: Final = Principal(name="anonymous")
REQUEST_ID_HEADER: Final = "x-request-id"
SESSION_HEADER: Final = "x-session-id"
TIMEOUT_HEADER: Final = "x-request-timeout"
ROUTER_METADATA_HEADER: Final = "x-openrouter-metadata"
_BLANKS: Final = " \t"
# What the record shows of who called.
_CALLER_HEADERS: Final = ("user-agent", "referer", "http-referer")
_LONGEST_KEY: Final = 512
_POOL_BYTES: Final = 512
_MARGIN: Final = 0.1
_LONGEST_MARGIN_S: Final = 0.1
_LONGEST_REQUEST_ID: Final = 128
_LONGEST_SESSION_ID: Final = 256
_MOST_HOPS: Final = 3
_LONGEST_PASSED: Final = 1024
_LONGEST_HOPS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A client's key at rest: its name for people, and the SHA-256 of the key in lower-case hex."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTerms:
    """What the wire says about a call besides its request.

    `wire` is "grpc" or "http"; `headers` are lower-case names to values; `timeout_s` is the limit that the wire itself carries (gRPC's deadline; None: none),
    which wins over the header. `size_bytes` is what the request takes.
    """

    wire: str
    streamed: bool
    size_bytes: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None


class RandomPool:
    """Random bytes from a source that is asked for many at a time, since each question is a system call. None is given twice."""

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._left = b""

    def draw(self, size: int) -> bytes:
        """So many bytes, at most as many as the pool holds."""
        if len(self._left) < size:
            self._left = self._source(_POOL_BYTES)
        drawn, self._left = self._left[:size], self._left[size:]
        return drawn


class Admission:
    """Checks keys and turns requests into calls.

    `clock_s` is the wall clock in Unix seconds, `monotonic_s` the clock of deadlines, `random_bytes(n)` a cryptographic source. Without `keys` every
    caller is anonymous.
    """

    def __init__(
        self,
        *,
        keys: Sequence[KeyRecord],
        default_timeout_s: float,
        max_timeout_s: float,
        clock_s: Callable[[], float],
        monotonic_s: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._keys = {record.sha256: Principal(name=record.name) for record in keys}
        self._default_timeout_s = default_timeout_s
        self._max_timeout_s = max_timeout_s
        self._clock_s = clock_s
        self._monotonic_s = monotonic_s
        self._random_bytes = random_bytes

    @property
    def open_to_all(self) -> bool:
        """No keys are set: every caller is anonymous."""
        return not self._keys

    def authenticate(self, authorization: Sequence[str]) -> Principal:
        """The principal of the values of the `authorization` header, of which exactly one is due. Raises GatewayError (AUTHENTICATION)."""
        if self.open_to_all:
            return ANONYMOUS
        if len(authorization) != 1:
            came = "none came" if not authorization else f"{len(authorization)} came"
            raise _unauthenticated(f"one `authorization: Bearer <key>` header is due, {came}")
        # Blanks alone: grpc core lets a line break through, which is no part of a key and no reason to take one.
        scheme, _, key = authorization[0].strip(_BLANKS).partition(" ")
        key = key.strip(_BLANKS)
        if scheme.lower() != "bearer" or not key or len(key) > _LONGEST_KEY:
            raise _unauthenticated("the `authorization` header must read `Bearer <key>`")
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        for known, principal in self._keys.items():
            if hmac.compare_digest(known, digest):
                return principal
        raise _unauthenticated("the key is not known here")

    def make_request_id(self, headers: Mapping[str, str]) -> str:
        """The caller's `x-request-id` where it is fit to be echoed (printable ASCII, at most 128 characters), else a new one."""
        given = headers.get(REQUEST_ID_HEADER, "")
        if given and len(given) <= _LONGEST_REQUEST_ID and given.isascii() and given.isprintable():
            return given
        return "req-" + self._random_bytes(12).hex()

    def make_generation_id(self) -> str:
        """A new generation id for now."""
        return make_generation_id(int(self._clock_s() * 1000), self._random_bytes(10))

    def admit(
        self,
        request: ChatCompletionRequest,
        principal: Principal,
        terms: CallTerms,
        *,
        request_id: str,
        generation_id: str,
    ) -> Call:
        """The call that a decoded and validated request makes. Raises GatewayError where its parts contradict one another or ask for what is not served."""
        check_request(request)
        return Call(
            generation_id=generation_id,
            request_id=request_id,
            principal=principal,
            request=request,
            created_s=int(self._clock_s()),
            deadline_s=self._monotonic_s() + self._timeout_s(terms),
            streamed=terms.streamed,
            wire=terms.wire,
            size_bytes=terms.size_bytes,
            session_id=_session_id(request, terms.headers),
            hops=_read_hops(terms.headers),
            passed_headers=_read_passed(terms.headers),
            wants_router_metadata=terms.headers.get(ROUTER_METADATA_HEADER, "").lower() == "enabled",
            headers={name: terms.headers[name] for name in _CALLER_HEADERS if name in terms.headers},
        )

    def _timeout_s(self, terms: CallTerms) -> float:
        timeout_s = terms.timeout_s
        if timeout_s is None:
            text = terms.headers.get(TIMEOUT_HEADER)
            timeout_s = self._default_timeout_s if text is None else _read_timeout(text)
        else:
            # The wire keeps its own clock and would end the call without a word of why: ours must run out first.
            timeout_s -= min(_LONGEST_MARGIN_S, timeout_s * _MARGIN)
        return min(timeout_s, self._max_timeout_s)


def take_session(request: Message, headers: Mapping[str, str]) -> None:
    """Gives a chat request that names no session the one that the headers name, for RPCs that see the request alone. Raises GatewayError as `Admission.admit` does."""
    if isinstance(request, ChatCompletionRequest) and (session_id := _session_id(request, headers)) is not None:
        request.session_id = session_id


def _read_timeout(text: str) -> float:
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = -1.0
    if not 0 < timeout_s < float("inf"):
        message = f"the `{TIMEOUT_HEADER}` header must be a number of seconds above 0"
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
            message,
            faults=[FieldFault(field=TIMEOUT_HEADER, description=message)],
        )
    return timeout_s


def _read_hops(headers: Mapping[str, str]) -> int:
    text = headers.get(HOPS_HEADER)
    if text is None:
        return 0
    hops = int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_HOPS else _MOST_HOPS + 1
    if hops > _MOST_HOPS:
        raise GatewayError(
            ErrorReason.ERROR_REASON_LOOP_DETECTED,
            f"The request has passed more than {_MOST_HOPS} gateways (`{HOPS_HEADER}`): look for one that is its own provider.",
        )
    return hops


def _read_passed(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The caller's headers for the provider. One that no header of ours could hold, or that is too long, is refused."""
    if not any(name in headers for name in PASSED_HEADERS):
        return {}
    passed: dict[str, str] = {}
    for name, provider_name in PASSED_HEADERS.items():
        value = headers.get(name, "")
        if len(value) > _LONGEST_PASSED or not (value.isascii() and value.isprintable()):
            message = f"the `{name}` header must have at most {_LONGEST_PASSED} characters, all printable ASCII"
            fault = FieldFault(field=name, description=message)
            raise GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=[fault])
        if value:
            known = passed.get(provider_name)
            passed[provider_name] = value if known is None else f"{known},{value}"
    return passed


def _session_id(request: ChatCompletionRequest, headers: Mapping[str, str]) -> str | None:
    if request.HasField("session_id"):
        return request.session_id
    header = headers.get(SESSION_HEADER)
    if header is not None and not (len(header) <= _LONGEST_SESSION_ID and header.isprintable()):
        message = f"the `{SESSION_HEADER}` header must have at most {_LONGEST_SESSION_ID} characters, all printable"
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
            message,
            faults=[FieldFault(field=SESSION_HEADER, description=message)],
        )
    return header


def _unauthenticated(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_AUTHENTICATION, f"Not authenticated: {message}.")
