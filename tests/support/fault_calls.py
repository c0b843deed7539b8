# SPDX-License-Identifier: Apache-2.0
"""One call of the fault matrix, over either wire, and what its client saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import orjson
from grpc import aio

from support.builders import make_request
from support.gateway import RunningGateway
from trunkline.errors import error_from_call
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences


@dataclass(slots=True, kw_only=True)
class Seen:
    """What a client saw of one call.

    `line` is HTTP's status line, None on gRPC. `error` is the failure as (status, error_type) on HTTP and (code, error_type) on gRPC, None: none came;
    `reason` is the gateway's word for it.
    `ended`: the answer had its proper end ([DONE], or OK). `after` counts the events behind the error or the end. `calls` are names and arguments of tool calls.
    """

    line: int | None = None
    error: tuple[int | grpc.StatusCode, str | None] | None = None
    reason: str | None = None
    retry_after_s: float | None = None
    generation_id: str | None = None
    text: str = ""
    finish: str | None = None
    native: str | None = None
    provider: str | None = None
    calls: dict[int, list[str]] = field(default_factory=dict)
    usages: list[tuple[int, int, bool]] = field(default_factory=list)
    earlier: int = 0
    ended: bool = False
    after: int = 0

    def read_choice(self, choice: Any) -> None:
        """What a choice of JSON adds."""
        said = choice.get("delta") or choice.get("message") or {}
        self.text += said.get("content") or ""
        self.finish = choice["finish_reason"] or self.finish
        self.native = choice.get("native_finish_reason") or self.native
        for place, call in enumerate(said.get("tool_calls") or ()):
            self.add_call(call.get("index", place), call["function"].get("name"), call["function"].get("arguments"))

    def add_call(self, index: int, name: str | None, arguments: str | None) -> None:
        """A piece of a tool call."""
        held = self.calls.setdefault(index, ["", ""])
        held[0] += name or ""
        held[1] += arguments or ""

    def read_json(self, value: Any) -> None:
        """What a value of JSON adds, an answer or an event."""
        if error := value.get("error"):
            metadata = error["metadata"]
            self.error, self.reason = (error["code"], metadata["error_type"]), metadata.get("reason")
            self.earlier = len(metadata.get("previous_errors") or ())
        for choice in value.get("choices") or ():
            self.read_choice(choice)
        if usage := value.get("usage"):
            self.usages.append((usage["prompt_tokens"], usage["completion_tokens"], bool(usage.get("estimated"))))
        self.provider = value.get("provider") or self.provider

    def read_message(self, message: Any) -> None:
        """What a message of gRPC adds, an answer or a chunk."""
        for choice in message.choices:
            is_chunk = hasattr(choice, "delta")
            said = choice.delta if is_chunk else choice.message
            self.text += said.content if is_chunk else "".join(part.text for part in said.content)
            for place, call in enumerate(said.tool_calls):
                self.add_call(call.index if is_chunk else place, call.function.name, call.function.arguments)
            if choice.finish_reason:
                self.finish = FinishReason.Name(choice.finish_reason).removeprefix("FINISH_REASON_").lower()
            self.native = choice.native_finish_reason or self.native
        if message.HasField("usage"):
            usage = message.usage
            self.usages.append((usage.prompt_tokens, usage.completion_tokens, usage.estimated))
        self.provider = message.provider or self.provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of both wires at one gateway. Calls go to the endpoints in the order that each names."""

    gateway: RunningGateway
    http: aiohttp.ClientSession
    stub: ChatServiceStub

    async def ask(self, model: str, *, wire: str, streamed: bool, order: tuple[str, ...] = ()) -> Seen:
        """Ask and read to the end."""
        if wire == "grpc":
            return await self._ask_grpc(model, streamed=streamed, order=order)
        return await self._ask_http(model, streamed=streamed, order=order)

    async def record(self, generation_id: str) -> Any:
        """The record of a call."""
        url = f"{self.gateway.openai_url}/generation"
        async with self.http.get(url, params={"id": generation_id}) as answer:
            return (await answer.json())["data"]

    async def _ask_http(self, model: str, *, streamed: bool, order: tuple[str, ...]) -> Seen:
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": model, "stream": streamed, "messages": messages, "provider": {"order": order}}
        async with self.http.post(self.gateway.chat_url, json=body) as answer:
            seen = Seen(line=answer.status, generation_id=answer.headers.get("x-generation-id"))
            wait = answer.headers.get("retry-after")
            seen.retry_after_s = None if wait is None else float(wait)
            content = await answer.read()
        if not content.startswith((b"data:", b":")):
            seen.read_json(orjson.loads(content))
            seen.ended = seen.error is None
            return seen
        for event in content.removesuffix(b"\n\n").split(b"\n\n"):
            if not event.startswith(b"data: "):
                continue
            seen.after += seen.ended or seen.error is not None
            seen.ended = seen.ended or event == b"data: [DONE]"
            if event != b"data: [DONE]":
                seen.read_json(orjson.loads(event.removeprefix(b"data: ")))
        return seen

    async def _ask_grpc(self, model: str, *, streamed: bool, order: tuple[str, ...]) -> Seen:
        request = make_request(model=model, provider=ProviderPreferences(order=order))
        seen = Seen()
        call: Any
        try:
            if streamed:
                call = self.stub.StreamChatCompletion(request)
                async for chunk in call:
                    seen.read_message(chunk)
            else:
                call = self.stub.CreateChatCompletion(request)
                seen.read_message(await call)
            seen.ended = True
            seen.generation_id = str(dict(await call.trailing_metadata()).get("x-generation-id"))
        except aio.AioRpcError as failure:
            error = error_from_call(failure)
            seen.error, seen.reason = (error.code, error.error_type), error.reason
            seen.retry_after_s, seen.generation_id = error.retry_after_s, error.generation_id
            seen.earlier = len(error.previous_errors)
        return seen
