# SPDX-License-Identifier: Apache-2.0
"""Where a request would go, told without sending it: the RPC of `trunkline.v1.RouteService`.

The plan is made by the function that the engine itself makes plans with, so what is told is what would be done. No provider is called, and nothing is kept: no
record, no health, no conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.route_service_pb2 import ExplainRouteResponse
from trunkline_server.core.call import LARGE_REQUEST_BYTES, Principal
from trunkline_server.core.checks import check_request
from trunkline_server.routing.explain import explain_plan
from trunkline_server.routing.plan import Plan

Planning: TypeAlias = Callable[[ChatCompletionRequest, Principal, str | None], Callable[[], Plan]]
"""Takes a request of a principal in a session (None: in none); what it gives makes the plan of that moment in whatever thread. Both raise GatewayError."""


class Explainer:
    """Explains where requests would go. `prepare` is the engine's own."""

    def __init__(self, prepare: Planning) -> None:
        self._prepare = prepare

    async def explain_route(self, request: ChatCompletionRequest, principal: Principal) -> ExplainRouteResponse:
        """The plan of a request, also where nothing is left. Raises GatewayError for what is refused before any plan."""
        session_id = request.session_id if request.HasField("session_id") else None
        make = self._prepare(request, principal, session_id)
        if request.ByteSize() < LARGE_REQUEST_BYTES:
            return _explain(request, make)
        return await asyncio.to_thread(_explain, request, make)


def _explain(request: ChatCompletionRequest, make: Callable[[], Plan]) -> ExplainRouteResponse:
    check_request(request)
    plan = make()
    return ExplainRouteResponse(data=explain_plan(plan, request, plan.pin))
