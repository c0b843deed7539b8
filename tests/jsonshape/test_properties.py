# SPDX-License-Identifier: Apache-2.0
"""What holds for every message of the contract, whatever is in it."""

from contextlib import suppress
from typing import Any

import orjson
from google.protobuf import message_factory
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support import strategies
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.model_service_pb2 import ListModelsResponse
from trunkline_server.jsonshape import REFUSED_KEYS, Codec, JsonFaults, ShapeFaults, parse_json

KINDS: tuple[type[Message], ...] = (ChatCompletionRequest, ChatCompletion, ChatCompletionChunk, ListModelsResponse)
CODEC = Codec.compile([kind.DESCRIPTOR for kind in KINDS])
# Shrinking a whole request takes longer than a test may. To get a small example, add Phase.shrink and draw from few kinds.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
THOROUGH = settings(phases=PHASES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

any_root = st.sampled_from(KINDS)
# A message that keeps the tag of the union around it is nothing by itself.
ALONE = [plan for plan in CODEC.plans.values() if not any(member.rule.keeps_tag for member in plan.members)]
any_kind = any_root | st.sampled_from([message_factory.GetMessageClass(plan.descriptor) for plan in ALONE])


def valid(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Valid messages of a type."""
    return strategies.messages(CODEC.plans[kind.DESCRIPTOR.full_name], CODEC.plans, refused=REFUSED_KEYS)


def bodies(kind: type[Message]) -> st.SearchStrategy[Any]:
    """Parsed JSON of valid messages, as a request or as an answer."""
    return st.builds(
        lambda message, answer: orjson.loads(CODEC.dump(message, answer=answer)), valid(kind), st.booleans()
    )


@given(message=any_kind.flatmap(valid), answer=st.booleans(), strict=st.booleans())
@THOROUGH
def test_what_is_written_reads_back_the_same(message: Message, answer: bool, strict: bool) -> None:
    """A valid message is read back from its JSON as it was, by the strict and by the loose decoder."""
    body = CODEC.dump(message, answer=answer)
    assert CODEC.decode(type(message), parse_json(body), strict=strict) == message


@given(message=any_kind.flatmap(valid))
@THOROUGH
def test_a_valid_message_passes_validation_unchanged(message: Message) -> None:
    """The validator finds nothing in a valid message in normal form, and changes nothing."""
    before = message.SerializeToString(deterministic=True)
    assert CODEC.validate(message) == []
    assert message.SerializeToString(deterministic=True) == before


@given(kind_and_body=any_kind.flatmap(lambda kind: st.tuples(st.just(kind), strategies.mutated(bodies(kind)))))
@THOROUGH
def test_what_the_strict_decoder_accepts_is_valid_and_stable(kind_and_body: tuple[type[Message], Any]) -> None:
    """Almost valid JSON is refused with faults, or its message is valid and is written as a fixed point."""
    kind, body = kind_and_body
    with suppress(ShapeFaults):
        message = CODEC.decode(kind, body)
        assert CODEC.validate(message) == []
        written = CODEC.dump(message, answer=False)
        again = CODEC.decode(kind, parse_json(written))
        assert again == message
        assert CODEC.dump(again, answer=False) == written


@given(
    kind_and_body=any_root.flatmap(
        lambda kind: st.tuples(st.just(kind), strategies.mutated(strategies.mutated(bodies(kind))))
    )
)
@THOROUGH
def test_the_loose_decoder_bears_anything(kind_and_body: tuple[type[Message], Any]) -> None:
    """From any object the loose decoder makes a message that can be written."""
    kind, body = kind_and_body
    if isinstance(body, dict):
        orjson.loads(CODEC.dump(CODEC.decode(kind, body, strict=False)))


@given(kind=any_kind, value=strategies.values)
@THOROUGH
def test_arbitrary_json_raises_only_faults(kind: type[Message], value: Any) -> None:
    """Any JSON value is decoded or refused with faults, and nothing else is raised."""
    for strict in (True, False):
        with suppress(ShapeFaults):
            CODEC.decode(kind, value, strict=strict)


@given(message=any_kind.flatmap(strategies.wild_messages) | any_kind.flatmap(valid).flatmap(strategies.disturbed))
@THOROUGH
def test_the_validator_bears_anything_and_agrees_with_the_decoder(message: Message) -> None:
    """Any protobuf message is refused with faults, or has JSON that the strict decoder reads as the same message."""
    if CODEC.validate(message) == []:
        written = CODEC.dump(message, answer=False)
        assert CODEC.decode(type(message), parse_json(written)) == message


@given(
    data=st.binary(max_size=60)
    | st.text(st.sampled_from('{}[]",:0123456789eE+-.\\u truefalsn\ud7ff'), max_size=40).map(str.encode)
)
def test_arbitrary_bytes_parse_or_fail(data: bytes) -> None:
    """Any bytes are parsed as orjson does, or refused with faults."""
    with suppress(JsonFaults):
        assert parse_json(data) == orjson.loads(data)
