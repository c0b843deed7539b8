# SPDX-License-Identifier: Apache-2.0
"""What another gateway is sent: everything but what this one has decided."""

import pytest
from hypothesis import given

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from support.strategies import wild_messages
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.trunkline.request import PATH, render_request

CODEC = make_codec()


@given(wild_messages(ChatCompletionRequest))
def test_nothing_else_is_lost(request: ChatCompletionRequest) -> None:
    """A request arrives as it was, but for the fields that this gateway has acted on, and the model's name there."""
    kept = ChatCompletionRequest.FromString(request.SerializeToString())
    kept.debug.Clear()
    request.debug.Clear()
    rendered = render_request(CODEC, request, make_endpoint(upstream_model="sim/echo"), stream=True)
    assert request == kept  # the caller's own stays as it is
    arrived = ChatCompletionRequest.FromString(rendered.body)
    kept.ClearField("models")
    kept.ClearField("route")
    if kept.HasField("provider"):
        kept.provider.ClearField("order")
        kept.provider.ClearField("only")
        kept.provider.ClearField("ignore")
    kept.model, kept.stream = "sim/echo", True
    assert arrived == kept
    assert (rendered.path, rendered.dropped, rendered.changed) == (PATH, (), ())


@pytest.mark.parametrize(
    ("sold", "asked", "sent"), [(None, "flex", "flex"), ("priority", "", "priority"), ("flex", "priority", "flex")]
)
def test_the_tier_is_the_one_that_is_priced(sold: str | None, asked: str, sent: str) -> None:
    """An endpoint of a tier asks for that tier."""
    endpoint = make_endpoint(provider=make_provider(), service_tier=sold)
    rendered = render_request(CODEC, ChatCompletionRequest(service_tier=asked), endpoint, stream=False)
    assert ChatCompletionRequest.FromString(rendered.body).service_tier == sent


@pytest.mark.parametrize("wanted", [True, False])
def test_the_echo_is_json_and_made_where_it_is_asked_for(wanted: bool) -> None:
    """A caller who wants to see the upstream's body gets JSON."""
    request = ChatCompletionRequest()
    request.messages.add().user.content.add().text = "hi"
    request.debug.echo_upstream_body = wanted
    echo = render_request(CODEC, request, make_endpoint(upstream_model="m"), stream=True).echo
    assert (echo is not None and b'"content":"hi"' in echo) is wanted
