# SPDX-License-Identifier: Apache-2.0
"""What clients may read of their calls' records: the RPCs of `trunkline.v1.GenerationService`, one method each, the same on every wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from trunkline.v1 import generation_service_pb2 as rpc
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.record import Attempt, Generation

_COMPLETIONS: Final = "completions"
_EVERYWHERE: Final = "global"
_SHOWN: Final = 64


class Generations:
    """Answers questions about records. `find` looks one up by the principal's name and the generation's id, None where there is none."""

    def __init__(self, find: Callable[[str, str], Awaitable[rpc.Generation | None]]) -> None:
        self._find = find

    async def get_generation(
        self, request: rpc.GetGenerationRequest, principal: Principal
    ) -> rpc.GetGenerationResponse:
        """One record of the caller's. Raises GatewayError (NOT_FOUND), the same for an id of somebody else."""
        generation = await self._find(principal.name, request.id)
        if generation is None:
            raise GatewayError(
                ErrorReason.ERROR_REASON_NOT_FOUND,
                f"Not found: there is no record {request.id[:_SHOWN]!r} of this key. Only the latest calls have one.",
            )
        return rpc.GetGenerationResponse(data=generation)


def render_generation(generation: Generation) -> rpc.Generation:
    """The record as the contract has it."""
    has_content = generation.first_token_ms is not None
    first_ms = generation.first_token_ms or 0.0
    cost_pusd = generation.cost_pusd or 0
    return rpc.Generation(
        id=generation.generation_id,
        request_id=generation.request_id,
        upstream_id=generation.upstream_id,
        created_at=datetime.fromtimestamp(generation.created_s, UTC).isoformat(),
        model=generation.endpoint_model or generation.model,
        provider_name=generation.provider_name,
        provider_responses=[_render_attempt(attempt) for attempt in generation.tries],
        streamed=generation.streamed,
        cancelled=generation.is_cancelled,
        finish_reason=generation.finish_reason,
        native_finish_reason=generation.native_finish_reason,
        service_tier=generation.service_tier,
        latency=_rounded(generation.latency_ms),
        generation_time=_rounded(generation.latency_ms - first_ms) if has_content else None,
        tokens_prompt=generation.prompt_tokens,
        tokens_completion=generation.completion_tokens,
        native_tokens_prompt=generation.prompt_tokens,
        native_tokens_completion=generation.completion_tokens,
        native_tokens_completion_images=generation.image_tokens,
        native_tokens_reasoning=generation.reasoning_tokens,
        native_tokens_cached=generation.cached_tokens,
        num_media_prompt=generation.media_read,
        num_input_audio_prompt=generation.sounds_read,
        num_media_completion=generation.images_made,
        total_cost_pusd=cost_pusd,
        usage_pusd=cost_pusd,
        upstream_inference_cost_pusd=generation.upstream_cost_pusd,
        origin=generation.referer or "",
        http_referer=generation.referer,
        user_agent=generation.user_agent,
        external_user=generation.user,
        session_id=generation.session_id,
        api_type=_COMPLETIONS,
        data_region=_EVERYWHERE,
        error=generation.error,
    )


def _render_attempt(attempt: Attempt) -> rpc.ProviderResponse:
    return rpc.ProviderResponse(
        endpoint_id=attempt.endpoint,
        id=attempt.upstream_id,
        is_byok=False,
        latency=_rounded(attempt.latency_ms),
        model_permaslug=attempt.model,
        provider_name=attempt.provider,
        routed_service_tier=attempt.service_tier,
        status=attempt.status,
    )


def _rounded(duration_ms: float) -> float:
    return round(duration_ms, 3)
