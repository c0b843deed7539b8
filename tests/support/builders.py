# SPDX-License-Identifier: Apache-2.0
"""Small valid values for tests: a request, a call, endpoints and a catalog, chunks. A test says only what it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FinishReason,
    FunctionCallDelta,
    ToolCallDelta,
)
from trunkline.v1.message_pb2 import ChatMessage, ContentPart, ReasoningDetail, ToolCall
from trunkline.v1.router_metadata_pb2 import RouterMetadata
from trunkline.v1.tool_pb2 import Tool
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.catalog.entry import Catalog, Endpoint, Model, Provider
from trunkline_server.core.call import Call, Principal
from trunkline_server.core.record import Generation

MODEL = "acme/one"
FINISH_STOP = FinishReason.FINISH_REASON_STOP


def make_message(text: str = "hello", role: str = "user") -> ChatMessage:
    """A message of one text part. For the roles system, user, developer and assistant."""
    message = ChatMessage()
    getattr(message, role).content.append(ContentPart(text=text))
    return message


def make_tool_result(tool_call_id: str, text: str = "done") -> ChatMessage:
    """A tool message that answers a call."""
    message = ChatMessage()
    message.tool.tool_call_id = tool_call_id
    message.tool.content.append(ContentPart(text=text))
    return message


def make_assistant_calls(*ids: str) -> ChatMessage:
    """An assistant message that calls the function `look_up` once for each id."""
    message = ChatMessage()
    for call_id in ids:
        call = ToolCall(id=call_id)
        call.function.name, call.function.arguments = "look_up", "{}"
        message.assistant.tool_calls.append(call)
    return message


def make_function(name: str = "look_up", parameters: str = '{"type":"object"}') -> Tool:
    """A function tool."""
    tool = Tool()
    tool.function.name, tool.function.parameters = name, parameters
    return tool


def make_request(text: str = "hello", *, model: str | None = MODEL, **fields: Any) -> ChatCompletionRequest:
    """A request with one user message; `fields` are further fields of ChatCompletionRequest, `messages` among them in place of the text."""
    messages = fields.pop("messages", None) or [make_message(text)]
    request = ChatCompletionRequest(messages=messages, **fields)
    if model is not None:
        request.model = model
    return request


def make_call(request: ChatCompletionRequest | None = None, **fields: Any) -> Call:
    """A streamed call over HTTP by "tester" with the deadline 60 s of a clock that starts at 0; `fields` are further fields of Call."""
    given = {
        "generation_id": "gen-test",
        "request_id": "req-test",
        "principal": Principal(name="tester"),
        "request": make_request() if request is None else request,
        "created_s": 1_700_000_000,
        "deadline_s": 60.0,
        "streamed": True,
        "wire": "http",
    }
    return Call(**{**given, **fields})


def make_generation(**fields: Any) -> Generation:
    """The record of a call of "tester" that ended well and of which little is known; `fields` are further fields of Generation."""
    given = {
        "generation_id": "gen-test",
        "request_id": "req-test",
        "principal": "tester",
        "wire": "http",
        "streamed": True,
        "model": MODEL,
        "endpoint_model": MODEL,
        "provider": "acme",
        "attempts": (),
        "status": "ok",
        "created_s": 1_700_000_000,
        "latency_ms": 20.0,
        "first_token_ms": 5.0,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cost_pusd": None,
    }
    return Generation(**{**given, **fields})


def make_route(**fields: Any) -> RouterMetadata:
    """The route of a call for MODEL that one endpoint could serve; `fields` are further fields of RouterMetadata."""
    given = {
        "requested": MODEL,
        "strategy": "direct",
        "summary": "One endpoint.",
        "endpoints": {"total": 1, "available": [{"provider": "Acme", "model": MODEL}]},
        "attempts": [{"provider": "Acme", "model": MODEL, "status": 503}],
    }
    return RouterMetadata(**{**given, **fields})


def make_provider(slug: str = "acme", **fields: Any) -> Provider:
    """A provider whose name is its slug with a capital letter."""
    return Provider(**{"slug": slug, "name": slug.capitalize(), "base_url": f"https://{slug}.test/v1", **fields})


def make_endpoint(provider: str | Provider = "acme", model: str = MODEL, **fields: Any) -> Endpoint:
    """An endpoint of a provider (or of a provider with that slug); its tag is the slug, its upstream model the model's part after the stroke."""
    owner = make_provider(provider) if isinstance(provider, str) else provider
    given = {"model": model, "provider": owner, "upstream_model": model.partition("/")[2], "tag": owner.slug}
    return Endpoint(**{**given, **fields})


def make_model(slug: str = MODEL, *endpoints: Endpoint, **fields: Any) -> Model:
    """A model with its endpoints; `fields` are further fields of Model."""
    return Model(**{"slug": slug, "canonical_slug": slug, "name": slug, "endpoints": endpoints, **fields})


def make_catalog_of(*models: Model, default_model: str | None = None) -> Catalog:
    """A catalog of the models."""
    providers = {endpoint.provider.slug: endpoint.provider for model in models for endpoint in model.endpoints}
    return Catalog(models={model.slug: model for model in models}, providers=providers, default_model=default_model)


def make_catalog(*endpoints: Endpoint, empty_models: Sequence[str] = (), default_model: str | None = None) -> Catalog:
    """A catalog of the endpoints, models in order of their first one; `empty_models` are known models that nobody offers."""
    slugs = dict.fromkeys([*(endpoint.model for endpoint in endpoints), *empty_models])
    offers: Mapping[str, tuple[Endpoint, ...]] = {
        slug: tuple(endpoint for endpoint in endpoints if endpoint.model == slug) for slug in slugs
    }
    models = [make_model(slug, *offered) for slug, offered in offers.items()]
    return make_catalog_of(*models, default_model=default_model)


def make_chunk(*choices: ChunkChoice, **fields: Any) -> ChatCompletionChunk:
    """A chunk as a provider says it: its own id and model."""
    return ChatCompletionChunk(**{"id": "upstream-1", "created": 1, "model": "one", "choices": choices, **fields})


def make_delta_chunk(index: int = 0, **delta: Any) -> ChatCompletionChunk:
    """A chunk with one choice that grows by the given fields of Delta."""
    return make_chunk(ChunkChoice(index=index, delta=Delta(**delta)))


def make_text_chunk(text: str, index: int = 0) -> ChatCompletionChunk:
    """A chunk that adds text."""
    return make_delta_chunk(index, content=text)


def make_role_chunk(index: int = 0) -> ChatCompletionChunk:
    """The chunk with which many providers begin: a role and an empty text."""
    return make_delta_chunk(index, role="assistant", content="")


def make_reasoning_chunk(text: str, index: int = 0, **detail: Any) -> ChatCompletionChunk:
    """A chunk that adds reasoning, as text and as a detail of index 0; `detail` are further fields of ReasoningDetail."""
    piece = ReasoningDetail(**{"index": 0, **detail})
    piece.text.text = text
    return make_delta_chunk(index, reasoning=text, reasoning_details=[piece])


def make_call_chunk(
    place: int, arguments: str | None = None, *, call_id: str | None = None, name: str | None = None, index: int = 0
) -> ChatCompletionChunk:
    """A chunk with a piece of the tool call at `place`."""
    function = FunctionCallDelta(name=name, arguments=arguments)
    return make_delta_chunk(index, tool_calls=[ToolCallDelta(index=place, id=call_id, function=function)])


def make_finish_chunk(reason: "FinishReason.ValueType" = FINISH_STOP, index: int = 0) -> ChatCompletionChunk:
    """A chunk that ends a choice."""
    return make_chunk(ChunkChoice(index=index, finish_reason=reason))


def make_usage(prompt: int = 10, completion: int = 5, **fields: Any) -> Usage:
    """Usage with its total."""
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion, **fields)


def make_usage_chunk(usage: Usage | None = None) -> ChatCompletionChunk:
    """The chunk without choices in which OpenAI tells usage."""
    return make_chunk(usage=make_usage() if usage is None else usage)


def make_answer_chunks(text: str = "hello there") -> list[ChatCompletionChunk]:
    """A whole answer: a role, a chunk a word, a finish, usage."""
    words = text.split(" ")
    spaced = [word if place == 0 else f" {word}" for place, word in enumerate(words)]
    return [make_role_chunk(), *map(make_text_chunk, spaced), make_finish_chunk(), make_usage_chunk()]
