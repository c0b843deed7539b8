# SPDX-License-Identifier: Apache-2.0
"""The record as clients see it."""

from typing import Any

import orjson
import pytest

from support.builders import make_generation
from support.golden import Golden
from trunkline.v1.error_pb2 import ErrorBody, ErrorReason
from trunkline.v1.generation_service_pb2 import GetGenerationRequest, GetGenerationResponse, ProviderResponse
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.record import Attempt, Generation
from trunkline_server.jsonshape import Codec
from trunkline_server.stores.generations import Generations, render_generation
from trunkline_server.stores.memory import MemoryRecords
from trunkline_server.stores.shared import SharedRecords

BROKEN = ErrorBody(code=502, message="The provider's answer broke off before its end.")
TRY = Attempt(
    endpoint="acme/fast",
    provider="Acme",
    model="acme/one",
    status=502,
    latency_ms=12.34567,
    upstream_id="up-1",
    service_tier="flex",
)
# All that a record can know.
WHOLE = make_generation(
    provider_name="Acme",
    tries=(TRY, TRY),
    status="PROVIDER_UNAVAILABLE",
    error=BROKEN,
    upstream_id="up-1",
    finish_reason="error",
    native_finish_reason="stop",
    service_tier="flex",
    cached_tokens=4,
    reasoning_tokens=2,
    image_tokens=1,
    cost_pusd=1_500_000_000,
    upstream_cost_pusd=1_200_000_001,
    media_read=1,
    sounds_read=2,
    images_made=3,
    session_id="s-1",
    user="u-1",
    referer="https://site.test",
    user_agent="curl",
)


async def test_a_record_is_shown_to_its_owner() -> None:
    """The id of an answer finds its record."""
    store = MemoryRecords(most=1)
    record = make_generation(generation_id="gen-a")
    store.keep(record)
    answer = await Generations(SharedRecords(store, most=1).find).get_generation(
        GetGenerationRequest(id="gen-a"), Principal(name="tester")
    )
    assert answer.data == render_generation(record)


@pytest.mark.parametrize(("principal", "generation_id"), [("other", "gen-a"), ("tester", "gen-b"), ("", "")])
async def test_what_is_not_the_callers_is_not_found(principal: str, generation_id: str) -> None:
    """An id of somebody else answers as one that never was, in the same words."""
    store = MemoryRecords(most=1)
    store.keep(make_generation(generation_id="gen-a"))
    with pytest.raises(GatewayError, match=r"there is no record '.*' of this key") as caught:
        await Generations(SharedRecords(store, most=1).find).get_generation(
            GetGenerationRequest(id=generation_id), Principal(name=principal)
        )
    assert caught.value.reason == ErrorReason.ERROR_REASON_NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"created_s": 0}, {"created_at": "1970-01-01T00:00:00+00:00"}, id="moment"),
        pytest.param({"model": "a/b", "endpoint_model": "c/d"}, {"model": "c/d"}, id="the model that served"),
        pytest.param({"model": "a/b", "endpoint_model": None}, {"model": "a/b"}, id="the model asked for"),
        pytest.param({"status": "cancelled"}, {"cancelled": True}, id="cancelled"),
        pytest.param({"status": "PROVIDER_TIMEOUT"}, {"cancelled": False}, id="failed"),
        pytest.param({"error": BROKEN}, {"error": BROKEN}, id="error"),
        pytest.param(
            {"latency_ms": 100.00049, "first_token_ms": 40.0},
            {"latency": 100.0, "generation_time": 60.0},
            id="times to the microsecond",
        ),
        pytest.param({"first_token_ms": 0.0, "latency_ms": 2.0}, {"generation_time": 2.0}, id="content at once"),
        pytest.param({"cost_pusd": 7}, {"total_cost_pusd": 7, "usage_pusd": 7}, id="cost"),
        pytest.param({"cost_pusd": None}, {"total_cost_pusd": 0, "usage_pusd": 0}, id="cost unknown"),
        pytest.param({"upstream_cost_pusd": 9}, {"upstream_inference_cost_pusd": 9}, id="the provider's cost"),
        pytest.param(
            {"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 1},
            {"tokens_prompt": 3, "native_tokens_prompt": 3, "native_tokens_completion": 2, "native_tokens_cached": 1},
            id="tokens",
        ),
        pytest.param(
            {"media_read": 4, "sounds_read": 1, "images_made": 2},
            {"num_media_prompt": 4, "num_input_audio_prompt": 1, "num_media_completion": 2},
            id="media",
        ),
        pytest.param(
            {"referer": "https://site.test", "user_agent": "curl", "user": "u", "session_id": "s"},
            {
                "origin": "https://site.test",
                "http_referer": "https://site.test",
                "user_agent": "curl",
                "external_user": "u",
                "session_id": "s",
            },
            id="caller",
        ),
    ],
)
def test_a_record_is_shown(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each part of the record stands where the contract has it."""
    shown = render_generation(make_generation(**fields))
    assert {name: getattr(shown, name) for name in expected} == expected


@pytest.mark.parametrize(
    "name",
    ["generation_time", "upstream_id", "finish_reason", "service_tier", "provider_name", "http_referer", "error"],
)
def test_what_is_unknown_is_unset(name: str) -> None:
    """What a record does not know is null for clients, not empty."""
    assert not render_generation(make_generation(first_token_ms=None)).HasField(name)


def test_attempts_are_shown_in_order() -> None:
    """Each attempt has its provider, its time and how it ended; one that the caller left has no status."""
    shown = render_generation(make_generation(tries=(TRY, TRY))).provider_responses
    assert (
        list(shown)
        == [
            ProviderResponse(
                endpoint_id="acme/fast",
                id="up-1",
                is_byok=False,
                latency=12.346,
                model_permaslug="acme/one",
                provider_name="Acme",
                routed_service_tier="flex",
                status=502,
            )
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("name", "record"), [("whole", WHOLE), ("bare", make_generation(endpoint_model=None, first_token_ms=None))]
)
def test_a_record_in_json(name: str, record: Generation, golden: Golden) -> None:
    """Every key is written, with null for what is unknown; money in USD."""
    codec = Codec.compile([GetGenerationResponse.DESCRIPTOR])
    text = codec.dump(GetGenerationResponse(data=render_generation(record)))
    golden.check_json(f"routes/generation_{name}.json", orjson.loads(text))
