# SPDX-License-Identifier: Apache-2.0
"""An attempt's chunks made into the answer: what leaves when, and what the last chunk holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import (
    MODEL,
    make_answer_chunks,
    make_call,
    make_call_chunk,
    make_chunk,
    make_delta_chunk,
    make_endpoint,
    make_finish_chunk,
    make_message,
    make_model,
    make_reasoning_chunk,
    make_request,
    make_role_chunk,
    make_text_chunk,
    make_usage,
    make_usage_chunk,
)
from support.streams import copy_chunks
from trunkline.v1.chat_request_pb2 import ReasoningConfig
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, Delta, FunctionCallDelta, Logprobs
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import ContentPart, OutputImage
from trunkline.v1.usage_pb2 import CostDetails, Usage
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.engine.answer import Answer

EXCLUDED = {"reasoning": ReasoningConfig(exclude=True)}
MARKS = {"id": "gen-test", "created": 1_700_000_000, "model": MODEL, "provider": "Acme"}


def make_answer(*held: ChatCompletionChunk, prices: dict[str, int] | None = None, **fields: Any) -> Answer:
    """The answer of an endpoint of Acme; `fields` are the request's."""
    return Answer(make_call(make_request(**fields)), make_endpoint(prices_pusd=prices or {}), list(held))


def signed(*chunks: ChatCompletionChunk) -> Batch:
    """The chunks with the marks of the call."""
    return [ChatCompletionChunk(**{**MARKS, "choices": chunk.choices}) for chunk in chunks]


def hear(answer: Answer, *chunks: ChatCompletionChunk) -> list[Batch]:
    """What leaves when the chunks come one by one."""
    return [answer.accept([chunk]) for chunk in copy_chunks(chunks)]


def test_nothing_leaves_before_the_first_content() -> None:
    """Role and held chunks leave ahead of the first text, in one batch; from then on each batch leaves as it comes."""
    debug = make_chunk()
    debug.debug.echo_upstream_body = "{}"
    answer = make_answer(debug)
    role, text, more = make_role_chunk(), make_text_chunk("a"), make_text_chunk("b")
    assert answer.accept([]) == []
    assert not answer.has_begun
    assert hear(answer, role, text, more) == [[], [debug, *signed(role, text)], signed(more)]
    assert answer.has_begun


def test_what_one_endpoint_says_without_content_stays_its_own() -> None:
    """The list of held chunks is shared by the attempts, so an attempt adds nothing to it."""
    held: Batch = []
    Answer(make_call(), make_endpoint(), held).accept([make_role_chunk()])
    assert held == []


def test_each_choice_ends_once() -> None:
    """What a provider says of a choice after its end is dropped, a second finish above all."""
    answer = make_answer()
    both = make_chunk(ChunkChoice(index=0, delta=Delta(content="late")), ChunkChoice(index=1, delta=Delta(content="b")))
    heard = hear(
        answer,
        make_text_chunk("a"),
        make_finish_chunk(),
        make_finish_chunk(),
        make_role_chunk(),
        both,
        make_finish_chunk(index=1),
    )
    assert heard == [
        signed(make_text_chunk("a")),
        signed(make_finish_chunk()),
        [],
        [],
        signed(make_text_chunk("b", 1)),
        signed(make_finish_chunk(index=1)),
    ]
    assert answer.finish()


def test_the_last_chunk_has_usage_alone() -> None:
    """Usage of any chunk is taken out of it; the last one counts and stands in the last chunk, without choices."""
    answer = make_answer()
    finish = make_finish_chunk()
    finish.usage.CopyFrom(make_usage(1, 1))
    heard = hear(answer, make_text_chunk("a"), finish, make_usage_chunk(make_usage(7, 3)))
    assert heard == [signed(make_text_chunk("a")), signed(make_finish_chunk()), []]
    assert answer.finish() == [ChatCompletionChunk(**MARKS, usage=make_usage(7, 3))]
    assert answer.settle() == make_usage(7, 3)


def test_the_last_chunk_has_what_came_with_usage() -> None:
    """Tier and fingerprint of a chunk without choices are not lost with it."""
    answer = make_answer()
    hear(
        answer, *make_answer_chunks()[:-1], make_chunk(usage=make_usage(), service_tier="flex", system_fingerprint="fp")
    )
    [last] = answer.finish()
    assert (last.service_tier, last.system_fingerprint) == ("flex", "fp")


def test_the_tier_is_the_one_that_the_provider_named() -> None:
    """Where it served another tier than the endpoint sells, the answer says so."""
    answer = Answer(make_call(), make_endpoint(service_tier="priority"), [])
    hear(answer, *make_answer_chunks()[:-1], make_chunk(usage=make_usage(), service_tier="default"))
    [last] = answer.finish()
    assert (last.service_tier, answer.service_tier) == ("default", "default")


def test_usage_is_priced() -> None:
    """The endpoint's prices make the cost."""
    answer = make_answer(prices={"prompt": 3, "completion": 5})
    hear(answer, *make_answer_chunks())
    [last] = answer.finish()
    assert last.usage.cost_pusd == 10 * 3 + 5 * 5
    assert last.usage.cost_details == CostDetails(
        upstream_inference_cost_pusd=55,
        upstream_inference_prompt_cost_pusd=30,
        upstream_inference_completions_cost_pusd=25,
    )


def test_pictures_are_priced() -> None:
    """Pictures that the request holds and those that the answer makes have the prices of the endpoint."""
    message = make_message("look")
    message.user.content.append(ContentPart(image_url={"url": "data:,"}))
    call = make_call(make_request(messages=[message]))
    answer = Answer(call, make_endpoint(prices_pusd={"image": 7, "image_output": 100}), [])
    picture = OutputImage(image_url={"url": "data:,"})
    hear(answer, make_delta_chunk(images=[picture, picture]), make_finish_chunk(), make_usage_chunk())
    [last] = answer.finish()
    assert last.usage.cost_pusd == 7 + 2 * 100


STANDARD = make_endpoint(prices_pusd={"prompt": 3, "completion": 5})
PRIORITY = make_endpoint(tag="acme/priority", service_tier="priority", prices_pusd={"prompt": 6, "completion": 10})
FLEX = make_endpoint(tag="acme/flex", service_tier="flex")
SOLD = {endpoint.tag: endpoint for endpoint in make_model("acme/one", STANDARD, PRIORITY, FLEX).endpoints}


@pytest.mark.parametrize(
    ("tag", "served", "cost_pusd", "priced_as"),
    [
        pytest.param("acme", "", 55, "", id="it does not say"),
        pytest.param("acme", "default", 55, "", id="the standard tier"),
        pytest.param("acme", "on_demand", 55, "", id="another word for it"),
        pytest.param("acme", "scale", 55, "", id="a word that tells of no price"),
        pytest.param("acme", "priority", 110, "", id="a dearer tier"),
        pytest.param("acme", "flex", 55, "default", id="a tier whose prices are unknown"),
        pytest.param("acme/priority", "priority", 110, "", id="the tier asked for"),
        pytest.param("acme/priority", "default", 55, "", id="a cheaper tier"),
        pytest.param("acme/priority", "flex", 110, "priority", id="a cheaper one whose prices are unknown"),
        pytest.param("acme/flex", "priority", 110, "", id="for an endpoint without prices"),
    ],
)
def test_the_tier_that_served_is_paid_for(tag: str, served: str, cost_pusd: int, priced_as: str) -> None:
    """The provider bills what it served, whatever was asked for; where that price is unknown, the details say whose was taken."""
    answer = Answer(make_call(), SOLD[tag], [])
    hear(answer, *make_answer_chunks()[:-1], make_chunk(usage=make_usage(), service_tier=served))
    [last] = answer.finish()
    assert last.usage.cost_pusd == cost_pusd
    assert last.usage.cost_details.priced_as_tier == priced_as
    assert last.usage.cost_details.HasField("priced_as_tier") is bool(priced_as)


def test_a_tier_that_the_catalog_does_not_know_is_marked() -> None:
    """A provider that serves a tier which no endpoint sells is paid for by the endpoint's own prices, and the details say so."""
    answer = Answer(make_call(), STANDARD, [])
    hear(answer, *make_answer_chunks()[:-1], make_chunk(usage=make_usage(), service_tier="priority"))
    [last] = answer.finish()
    assert (last.usage.cost_pusd, last.usage.cost_details.priced_as_tier) == (55, "default")


def test_a_long_prompt_has_its_own_prices() -> None:
    """Beyond the length that the endpoint names, all tokens of the call cost what long prompts do."""
    endpoint = make_endpoint(
        prices_pusd={"prompt": 3, "completion": 5}, prices_above=((9, {"prompt": 6, "completion": 7}),)
    )
    answer = Answer(make_call(make_request()), endpoint, [])
    hear(answer, *make_answer_chunks())
    [last] = answer.finish()
    assert last.usage.cost_pusd == 10 * 6 + 5 * 7


@pytest.mark.parametrize(
    ("completion", "finish", "cost_pusd"),
    [
        pytest.param(5, {"finish_reason": 1, "native_finish_reason": "stop"}, 55, id="an answer"),
        pytest.param(5, {"finish_reason": 1}, 55, id="an answer without a word of its end"),
        pytest.param(0, {"finish_reason": 1, "native_finish_reason": "stop"}, 30, id="a model with nothing to say"),
        pytest.param(0, {"finish_reason": 1}, 0, id="no tokens and a blank finish"),
        pytest.param(-1, {"finish_reason": 1}, 0, id="nonsense and a blank finish"),
        pytest.param(5, {"finish_reason": 5, "native_finish_reason": "error"}, 0, id="a failure"),
    ],
)
def test_what_is_no_answer_costs_nothing(completion: int, finish: dict[str, Any], cost_pusd: int) -> None:
    """No tokens and a blank finish, or the finish `error`: the caller pays nothing, and what the provider charged stays to be seen."""
    answer = make_answer(prices={"prompt": 3, "completion": 5})
    hear(answer, make_text_chunk("a"), make_chunk(ChunkChoice(**finish)), make_usage_chunk(make_usage(10, completion)))
    usage = answer.finish()[0].usage
    assert usage.cost_pusd == cost_pusd
    assert usage.cost_details.upstream_inference_cost_pusd == 30 + 5 * max(0, completion)


@given(
    told=st.one_of(
        st.tuples(st.integers(max_value=0, min_value=-(2**63)), st.just({"finish_reason": 1})),
        st.tuples(st.integers(0, 2**40), st.just({"finish_reason": 5, "native_finish_reason": "error"})),
    ),
    prices=st.dictionaries(st.sampled_from(["prompt", "completion", "request"]), st.integers(0, 2**40)),
    prompt=st.integers(0, 2**40),
)
def test_nothing_is_charged_for_nothing(told: tuple[int, dict[str, Any]], prices: dict[str, int], prompt: int) -> None:
    """Whatever the prices and the counts, an answer that is none costs 0."""
    completion, finish = told
    answer = make_answer(prices=prices)
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion, cost_pusd=9)
    hear(answer, make_text_chunk("a"), make_chunk(ChunkChoice(**finish)), make_usage_chunk(usage))
    assert answer.finish()[0].usage.cost_pusd == 0


def test_what_was_said_until_now_is_counted() -> None:
    """An answer that nobody finishes has usage all the same: what the provider told so far, else an estimate; asked again it is the same."""
    answer = make_answer(prices={"completion": 5})
    hear(answer, make_text_chunk("a" * 8), make_text_chunk("b" * 4))
    assert (answer.settle().completion_tokens, answer.settle().cost_pusd) == (3, 15)
    told = make_answer()
    chunk = make_text_chunk("a")
    chunk.usage.CopyFrom(make_usage(4, 2))
    hear(told, chunk)
    assert told.settle() is told.settle()
    assert (told.settle().prompt_tokens, told.settle().completion_tokens) == (4, 2)


def test_what_the_provider_says_of_its_answer() -> None:
    """Its id and tier are noted before the gateway's own take their place, and the first choice's finish."""
    answer = make_answer()
    begin, end = make_chunk(ChunkChoice(delta=Delta(content="a")), service_tier="flex"), make_usage_chunk()
    end.service_tier = "priority"
    two = make_chunk(ChunkChoice(index=1, finish_reason=2, native_finish_reason="max_tokens"))
    one = make_chunk(ChunkChoice(index=0, finish_reason=1, native_finish_reason="end_turn"))
    pictures = make_delta_chunk(1, images=[{}, {}])
    hear(answer, begin, pictures, two, one)
    assert (answer.upstream_id, answer.service_tier) == ("upstream-1", "flex")
    hear(answer, end)
    assert (answer.service_tier, answer.images_made) == ("priority", 2)
    assert (answer.finish_reason, answer.native_finish_reason) == (2, "max_tokens")


def test_usage_of_the_provider_is_not_estimated() -> None:
    """What the provider counted is not marked."""
    answer = make_answer()
    hear(answer, *make_answer_chunks())
    assert not answer.finish()[0].usage.HasField("estimated")


@pytest.mark.parametrize(
    ("chunks", "tokens"),
    [
        pytest.param([make_text_chunk("a" * 10), make_text_chunk("b" * 10)], 5, id="text"),
        pytest.param([make_text_chunk("é" * 10)], 5, id="bytes count, not characters"),
        pytest.param([make_reasoning_chunk("a" * 20)], 5, id="reasoning counts once"),
        pytest.param([make_delta_chunk(refusal="a" * 20)], 5, id="refusal"),
        pytest.param([make_call_chunk(0, "a" * 16, call_id="call-1", name="look")], 5, id="call"),
        pytest.param(
            [make_delta_chunk(function_call=FunctionCallDelta(name="look", arguments="a" * 16))], 5, id="legacy call"
        ),
        pytest.param([], 0, id="nothing"),
    ],
)
def test_usage_that_nobody_told_is_estimated(chunks: list[ChatCompletionChunk], tokens: int) -> None:
    """Without the provider's count the text is counted, four bytes a token, however many chunks it came in; the usage is marked."""
    answer = make_answer()
    hear(answer, make_role_chunk(), *chunks, make_finish_chunk())
    usage = answer.finish()[0].usage
    assert (usage.estimated, usage.completion_tokens) == (True, tokens)
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_an_estimate_grows_with_the_prompt() -> None:
    """A longer conversation is estimated to more tokens."""
    counts = []
    for text in ("a", "a" * 400):
        answer = make_answer(messages=[make_message(text)])
        hear(answer, make_text_chunk("x"), make_finish_chunk())
        counts.append(answer.finish()[0].usage.prompt_tokens)
    assert 95 <= counts[1] - counts[0] <= 105


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([], id="nothing"),
        pytest.param([make_role_chunk()], id="a role"),
        pytest.param([make_role_chunk(), make_usage_chunk()], id="a role and usage"),
    ],
)
def test_an_empty_answer_is_a_failure(chunks: list[ChatCompletionChunk]) -> None:
    """A provider that ends without content gave no answer, and is named."""
    answer = make_answer()
    hear(answer, *chunks)
    with pytest.raises(GatewayError, match="empty answer") as caught:
        answer.finish()
    assert caught.value.reason == ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE
    assert caught.value.provider == "Acme"


def test_a_choice_without_an_end_is_a_failure() -> None:
    """Every choice that began must have ended."""
    answer = make_answer()
    hear(answer, make_text_chunk("a"), make_text_chunk("b", 1), make_finish_chunk())
    with pytest.raises(GatewayError, match="without an end"):
        answer.finish()


def test_a_finish_alone_is_an_answer() -> None:
    """A model may have nothing to say: an empty text with a finish is a whole answer."""
    answer = make_answer()
    assert hear(answer, make_role_chunk(), make_finish_chunk()) == [[], signed(make_role_chunk(), make_finish_chunk())]
    assert answer.finish()


@pytest.mark.parametrize(
    "fields",
    [EXCLUDED, {"include_reasoning": False}, {"include_reasoning": True, "reasoning": ReasoningConfig(exclude=True)}],
)
def test_reasoning_is_left_out_where_the_caller_says(fields: dict[str, Any]) -> None:
    """Neither text nor details of reasoning leave, nor chunks that held nothing else; usage still counts it."""
    answer = make_answer(**fields)
    mixed = make_reasoning_chunk("c")
    mixed.choices[0].delta.content = "answer"
    heard = hear(
        answer, make_role_chunk(), make_reasoning_chunk("a"), make_reasoning_chunk("b"), mixed, make_finish_chunk()
    )
    assert heard == [[], [], [], signed(make_role_chunk(), make_text_chunk("answer")), signed(make_finish_chunk())]
    assert answer.finish()[0].usage.completion_tokens == 3


@pytest.mark.parametrize("fields", [{}, {"include_reasoning": True}, {"reasoning": ReasoningConfig(exclude=False)}])
def test_reasoning_is_shown_otherwise(fields: dict[str, Any]) -> None:
    """Reasoning is content: it leaves at once."""
    assert hear(make_answer(**fields), make_reasoning_chunk("a")) == [signed(make_reasoning_chunk("a"))]


@pytest.mark.parametrize(
    ("rest", "leaves"),
    [
        pytest.param({"delta": Delta(content="")}, False, id="an empty text"),
        pytest.param({"delta": Delta(role="assistant")}, False, id="a role said again"),
        pytest.param({"logprobs": Logprobs()}, True, id="log probabilities"),
        pytest.param({"extra": {"x": "1"}}, True, id="an unknown key"),
        pytest.param({"delta": Delta(extra={"x": "1"})}, True, id="an unknown key of the delta"),
        pytest.param({"finish_reason": 1}, True, id="a finish"),
    ],
)
def test_hiding_reasoning_hides_nothing_else(rest: dict[str, Any], leaves: bool) -> None:
    """What stood beside the reasoning still leaves, unless it says nothing."""
    answer = make_answer(**EXCLUDED)
    chunk = make_chunk(ChunkChoice(**rest))
    chunk.choices[0].delta.reasoning = "secret"
    heard = hear(answer, make_role_chunk(), make_text_chunk("a"), chunk)
    assert heard[-1] == (signed(make_chunk(ChunkChoice(**{"delta": Delta(), **rest}))) if leaves else [])


def test_a_role_that_comes_with_hidden_reasoning_is_kept() -> None:
    """A provider may say the role together with the first thought."""
    chunk = make_reasoning_chunk("a")
    chunk.choices[0].delta.role = "assistant"
    heard = hear(make_answer(**EXCLUDED), chunk, make_text_chunk("b"))
    assert heard == [[], signed(make_delta_chunk(role="assistant"), make_text_chunk("b"))]
