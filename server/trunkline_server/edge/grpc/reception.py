# SPDX-License-Identifier: Apache-2.0
"""What happens around every call: ids, key, and the status it ends in; and which calls are in flight, for the end of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from google.protobuf.message import Message
from grpc import aio

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.admission import ANONYMOUS, Admission
from trunkline_server.edge.failures import error_of_exception
from trunkline_server.edge.grpc.intake import Arrival, Context, check_headers, read_metadata
from trunkline_server.edge.grpc.patience import Patience
from trunkline_server.edge.grpc.status import CallIds, failure_of

Work: TypeAlias = Callable[[Arrival], Awaitable[Message | None]]
"""Serves one call: returns the response of a unary one, None after it has written those of a stream. Raises GatewayError."""


class ClientGone(Exception):  # noqa: N818 - nothing failed: the client left while it was written to
    """The client left. The call's other parts need only to be closed."""


class Reception:
    """Receives calls: each gets its ids and its caller, is worked on, and ends in a status of the contract, whatever is raised."""

    def __init__(self, admission: Admission, *, request_timeout_s: float, compress_from_bytes: int) -> None:
        self._admission = admission
        self._compress_from_bytes = compress_from_bytes
        self._patience = Patience(request_timeout_s)
        self._working: set[asyncio.Task[object]] = set()
        self._attending: set[asyncio.Task[object]] = set()
        self._closing = False

    @property
    def is_closing(self) -> bool:
        """Whether calls are being ended because the gateway stops."""
        return self._closing

    async def serve(
        self, context: Context, work: Work, *, generates: bool = False, public: bool = False
    ) -> bytes | None:
        """Serve one call; returns the response of a unary one as bytes. `generates` gives it a generation id; `public` calls need no key and do not hold up the end of the process."""
        task = asyncio.current_task()
        in_flight = self._attending if public else self._working
        if task is not None:
            in_flight.add(task)
        try:
            return await self._serve(context, work, generates=generates, public=public)
        finally:
            if task is not None:
                in_flight.discard(task)

    async def _serve(self, context: Context, work: Work, *, generates: bool, public: bool) -> bytes | None:
        headers, authorization = read_metadata(context)
        ids = CallIds(
            request_id=self._admission.make_request_id(headers),
            generation_id=self._admission.make_generation_id() if generates else None,
        )
        try:
            check_headers(headers)
            principal = ANONYMOUS if public else self._admission.authenticate(authorization)
            arrival = Arrival(
                context=context,
                ids=ids,
                headers=headers,
                principal=principal,
                patience=self._patience,
            )
            answer = await work(arrival)
            raw = None if answer is None else answer.SerializeToString()
        except ClientGone:
            return None
        except aio.AbortError:
            raise
        except asyncio.CancelledError:
            if not self._closing:
                raise
            error = GatewayError(ErrorReason.ERROR_REASON_SHUTTING_DOWN, "The gateway is shutting down. Try again.")
            failure = failure_of(error, ids)
        except Exception as raised:  # noqa: BLE001 - the edge: whatever it is, the client gets a status of the contract
            # Not kept in a name: grpc holds on to this frame until the garbage is collected, and the failure's traceback holds the request.
            failure = failure_of(error_of_exception(raised, ids.request_id), ids)
        else:
            context.set_trailing_metadata(ids.metadata())
            if raw is not None and len(raw) < self._compress_from_bytes:
                context.disable_next_message_compression()
            return raw
        return await context.abort(failure.code, failure.message, failure.trailer)

    async def settle(self, grace_s: float) -> None:
        """Wait until no call is worked on, at most so long; then end those that are left, and all public ones, as SHUTTING_DOWN."""
        if self._working:
            await asyncio.wait(set(self._working), timeout=grace_s)
        self._closing = True
        left = self._working | self._attending
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)
        self._patience.close()


async def write(context: Context, message: Message) -> None:
    """Send one message of a stream, never compressed: a delta would not shrink. Waits while the client reads slowly. Raises ClientGone."""
    context.disable_next_message_compression()
    try:
        await context.write(message)
    except aio.InternalError as error:
        raise ClientGone from error
