# SPDX-License-Identifier: Apache-2.0
"""Requests from plain Python values. The gateway's codec is the referee: what it writes as JSON, the client reads back."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from support import strategies
from support.grpc_edge import make_codec
from trunkline import build_request
from trunkline.requests import build_message
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.message_pb2 import AssistantMessage, ChatMessage, ContentPart
from trunkline.v1.model_service_pb2 import ListModelsRequest
from trunkline.v1.tool_pb2 import FunctionDefinition
from trunkline_server.jsonshape import REFUSED_KEYS

CODEC = make_codec()
REQUESTS = strategies.messages(
    CODEC.plans[ChatCompletionRequest.DESCRIPTOR.full_name], CODEC.plans, refused=REFUSED_KEYS
)
BODIES = REQUESTS.map(lambda request: orjson.loads(CODEC.dump(request, answer=False)))
# A request has hundreds of fields: an example takes long to draw.
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
HELLO = [{"role": "user", "content": "hi"}]


@given(request_=REQUESTS)
@FEW
def test_every_request_can_be_written_as_a_dict(request_: ChatCompletionRequest) -> None:
    """The JSON that the gateway sends for a request makes the same request here, for every field of the contract."""
    built = build_request(orjson.loads(CODEC.dump(request_, answer=False)))
    assert CODEC.validate(built) == []
    assert built == request_


@given(body=strategies.mutated(BODIES))
@FEW
def test_nothing_but_two_errors(body: Any) -> None:
    """Whatever stands in a dict, the fault is a TypeError or a ValueError."""
    with suppress(TypeError, ValueError):
        build_request(body)


def test_by_keyword() -> None:
    """Fields by keyword make the same request as the contract's messages."""
    request = build_request(model="sim/echo", messages=HELLO, temperature=1, stop="END", logit_bias={50256: -100})
    by_hand = ChatCompletionRequest(model="sim/echo", temperature=1.0, stop=["END"], logit_bias={"50256": -100.0})
    by_hand.messages.add().user.content.add(text="hi")
    assert request == by_hand


def test_a_message_is_taken_as_it_is() -> None:
    """A request that is a message already is not copied."""
    request = ChatCompletionRequest(model="sim/echo")
    assert build_request(request) is request


@pytest.mark.parametrize(
    "start",
    [ChatCompletionRequest(model="a/b", stop=["x", "y"]), {"model": "a/b", "stop": ["x", "y"]}],
    ids=["message", "dict"],
)
def test_keywords_replace(start: Any) -> None:
    """A keyword takes the place of what the first argument says, None removes it, and the argument is left as it was."""
    request = build_request(start, stop=["z"], model=None, seed=7)
    assert request == ChatCompletionRequest(stop=["z"], seed=7)
    assert build_request(start) == ChatCompletionRequest(model="a/b", stop=["x", "y"])


def test_an_answer_goes_back_into_the_conversation() -> None:
    """An answer's message, a typed message and a dict stand side by side in `messages`."""
    answer = AssistantMessage(content=[ContentPart(text="hello")])
    typed = ChatMessage()
    typed.system.content.add(text="be brief")
    request = build_request(messages=[typed, *HELLO, answer])
    assert [message.WhichOneof("message") for message in request.messages] == ["system", "user", "assistant"]
    assert request.messages[2].assistant == answer


def test_typed_tools() -> None:
    """A function definition stands for the tool that holds it."""
    definition = FunctionDefinition(name="look_up")
    request = build_request(tools=[definition])
    assert request.tools[0].function == definition


def test_json_values() -> None:
    """Schemas are dicts or JSON text; values of open maps are JSON values."""
    schema = {"type": "object", "properties": {"é": {"const": 9007199254740993}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    as_text = {"type": "function", "function": {"name": "f", "parameters": '{"type":"object"}'}}
    request = build_request(tools=[tool, as_text], image_config={"quality": "high", "size": [1, 2]})
    assert request.tools[0].function.parameters == '{"type":"object","properties":{"é":{"const":9007199254740993}}}'
    assert request.tools[1].function.parameters == '{"type":"object"}'
    assert dict(request.image_config) == {"quality": '"high"', "size": "[1,2]"}


def test_unknown_keys() -> None:
    """A dict's unknown keys are kept; among keywords they go into `extra`."""
    assert dict(build_request({"model": "a/b", "new": {"a": [1]}}).extra) == {"new": '{"a":[1]}'}
    assert dict(build_request(extra={"new": None, "other": True}).extra) == {"other": "true"}
    with pytest.raises(TypeError, match=r"temprature is no field of ChatCompletionRequest; .* extra="):
        build_request(model="a/b", temprature=1)


@pytest.mark.parametrize("start", [[], "hi", 5, ListModelsRequest()])
def test_no_request(start: Any) -> None:
    """Something else than a request, a dict or nothing is a TypeError."""
    with pytest.raises(TypeError, match="the request must be a ChatCompletionRequest"):
        build_request(start)


def test_other_messages() -> None:
    """The same rules build the requests of other RPCs."""
    assert build_message(ListModelsRequest, None, {"q": "sim", "limit": 5}) == ListModelsRequest(q="sim", limit=5)
    with pytest.raises(TypeError, match=r"qq is no field of ListModelsRequest$"):
        build_message(ListModelsRequest, None, {"qq": "sim"})
