# SPDX-License-Identifier: Apache-2.0
"""What holds in every dialect for whatever a caller may send."""

from contextlib import suppress

import orjson
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from support import strategies
from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from support.dialect_scenarios import ENDPOINTS
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.registry import DIALECT_NAMES, OVER_GRPC, make_dialects
from trunkline_server.jsonshape.refused import REFUSED_KEYS

CODEC = make_codec()
DIALECTS = make_dialects(CODEC)
REQUESTS = strategies.messages(
    CODEC.plans[ChatCompletionRequest.DESCRIPTOR.full_name], CODEC.plans, refused=REFUSED_KEYS
)
# Shrinking a whole request takes longer than a test may.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SLOW = settings(
    phases=PHASES, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "openai_chat" else pytest.mark.slow) for name in DIALECT_NAMES]
)
@SLOW
@given(request=REQUESTS)
def test_a_request_is_written_or_refused(name: str, request: ChatCompletionRequest) -> None:
    """Whatever the contract allows becomes JSON for the provider, or a failure that the caller can read; the request itself is not changed."""
    endpoint = make_endpoint(make_provider(name, dialect=name), **ENDPOINTS.get(name, {}))
    before = request.SerializeToString(deterministic=True)
    with suppress(GatewayError):
        rendered = DIALECTS[name].render_request(request, endpoint, stream=True)
        assert name in OVER_GRPC or isinstance(orjson.loads(rendered.body), dict)
        assert len(set(rendered.dropped)) == len(rendered.dropped)
    assert request.SerializeToString(deterministic=True) == before


@SLOW
@given(request=REQUESTS)
def test_a_server_with_extensions_gets_the_request(request: ChatCompletionRequest) -> None:
    """What openai_chat writes for a server that takes everything reads back as the request that it was, save model, tier and stream."""
    endpoint = make_endpoint(make_provider("wide", takes_extensions=True))
    rendered = DIALECTS["openai_chat"].render_request(request, endpoint, stream=False)
    read = CODEC.decode(ChatCompletionRequest, orjson.loads(rendered.body))
    for message in (read, request):
        for field in ("model", "stream", "stream_options"):
            message.ClearField(field)
    assume(request.service_tier == read.service_tier)
    assert read == request
