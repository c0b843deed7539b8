# SPDX-License-Identifier: Apache-2.0
"""The whole story of a call.

Fall-back happens only before the first content has left: until then every failure can be made good by another endpoint unseen, afterwards it is told. Where the
caller asked for it, another endpoint goes on with a text that broke off, and says so.
Cancellation is this generator being closed: the attempt's context is left at once, which aborts the upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline_server.catalog.entry import Catalog, Provider
from trunkline_server.core.call import HOPS_HEADER, LARGE_REQUEST_BYTES, Call, Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, RecordKeeper, Upstream, UpstreamRequest
from trunkline_server.dialects.base import Dialect, RenderedRequest
from trunkline_server.dialects.passed import add_passed
from trunkline_server.engine.answer import Answer
from trunkline_server.engine.attempt import attempt
from trunkline_server.engine.course import Course, asked_model
from trunkline_server.engine.hedge import HedgedCourse, hedge
from trunkline_server.engine.ledgers import Ledgers
from trunkline_server.engine.media import Fetching, bring_media, find_reader
from trunkline_server.engine.pipeline import Rendering
from trunkline_server.engine.record import CallStory
from trunkline_server.routing.candidates import Deployment
from trunkline_server.routing.plan import Plan, Surroundings, make_plan


class Engine:
    """The Gateway that both edges call.

    `upstreams` are by provider slug, `dialects` by name; `catalog()` is the catalog of the moment, `deployment()` what holds for every request then. `fetching`
    is for providers that read no URLs (None: nothing is fetched).
    """

    def __init__(
        self,
        *,
        catalog: Callable[[], Catalog],
        deployment: Callable[[], Deployment],
        upstreams: Callable[[], Mapping[str, Upstream]],
        dialects: Mapping[str, Dialect],
        records: RecordKeeper,
        ledgers: Ledgers,
        fetching: Fetching | None = None,
    ) -> None:
        self._catalog = catalog
        self._deployment = deployment
        self._upstreams = upstreams
        self._dialects = dialects
        self._records = records
        self._ledgers = ledgers
        self._fetching = fetching
        self._monotonic_s = ledgers.monotonic_s

    def prepare(
        self, request: ChatCompletionRequest, principal: Principal, session_id: str | None
    ) -> Callable[[], Plan]:
        """Makes, in whatever thread, the plan of this moment for a request of a principal in a session (None: in none). Raises GatewayError if no model is named."""
        return partial(make_plan, request, self._catalog(), self._surround(request, principal, session_id))

    async def run(self, call: Call) -> AsyncGenerator[Batch, None]:
        """The call's answer as batches of chunks; the first one has content. See `ports.Gateway`."""
        story = CallStory(call, self._monotonic_s)
        try:
            make = self.prepare(call.request, call.principal, call.session_id)
            plan = make() if call.size_bytes < LARGE_REQUEST_BYTES else await asyncio.to_thread(make)
            story.follow(plan)
            debug: Batch = []
            hedge_after_s = None if call.streamed else self._ledgers.hedge_after_s
            with HedgedCourse(call, plan, story, self._ledgers) as course:
                while True:
                    answer = Answer(call, course.endpoint, debug, course.beginning)
                    course.begin_attempt(answer)
                    try:
                        if hedge_after_s is not None:
                            said = await hedge(course, partial(self._hear_out, call), hedge_after_s)
                            answer = course.answer or answer
                            course.note_content()
                            last = answer.finish()
                            course.succeed(answer, last)
                            yield said
                            yield last
                            return
                        rendered = await self._render_where_due(call, course, debug)
                        answer.rendering = Rendering.of(course.endpoint.provider.dialect, rendered)
                        async with aclosing(self._attempt(call, course, rendered)) as batches:
                            del rendered  # the attempt lets go of the body once it is sent
                            async for batch in batches:
                                leaving = answer.accept(batch)
                                if leaving is not batch:
                                    batch.clear()
                                if leaving:
                                    if story.attempt_content_s is None:
                                        course.note_content()
                                    left_s = self._monotonic_s()
                                    yield leaving
                                    course.away_s += self._monotonic_s() - left_s
                        last = answer.finish()
                        course.succeed(answer, last)
                        yield last
                        return
                    except GatewayError as error:
                        answer = course.answer or answer
                        if not await course.go_on(error, answer):
                            # Nobody can do better, so what this provider had said is all there is.
                            leaving = answer.accept([*error.partial])
                            if leaving:
                                story.saw_content()
                                yield leaving
                            error.open_choices = answer.open_choices
                            raise course.failure(error) from error.__cause__
        except GatewayError as error:
            story.fail(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            story.cancel()
            raise
        finally:
            self._records.keep(story.end())

    def _surround(self, request: ChatCompletionRequest, principal: Principal, session_id: str | None) -> Surroundings:
        ledgers = self._ledgers
        return Surroundings(
            health=ledgers.waits.snapshot(),
            now_s=self._monotonic_s(),
            draw=ledgers.draw,
            pin=ledgers.pins.find(principal.name, session_id, asked_model(request)),
            deployment=self._deployment(),
        )

    async def _hear_out(self, call: Call, course: Course) -> Batch:
        """The whole answer of one attempt, begun by a course of the call. Raises GatewayError where there is none."""
        answer = course.answer
        if answer is None:
            raise RuntimeError("the attempt has begun")
        rendered = await self._render_where_due(call, course, [])
        answer.rendering, said = Rendering.of(course.endpoint.provider.dialect, rendered), Batch()
        async with aclosing(self._attempt(call, course, rendered)) as batches:
            del rendered
            async for batch in batches:
                said += answer.accept(batch)
        answer.finish()
        return said

    async def _render_where_due(self, call: Call, course: Course, debug: Batch) -> RenderedRequest:
        """The request in the endpoint's language, made in a thread where that takes its time."""
        endpoint, fetching = course.endpoint, self._fetching
        reads = None if fetching is None else find_reader(self._dialects[endpoint.provider.dialect], endpoint)
        if fetching is not None and reads is not None:
            left_s = call.deadline_s - self._monotonic_s()
            course.request = await bring_media(course.request, reads, fetching, left_s)
        # A request that is another one than the caller's may hold what was fetched, and be large whatever came on the wire.
        if call.size_bytes < LARGE_REQUEST_BYTES and course.request is call.request:
            return self._render(call, course, debug)
        return await asyncio.to_thread(self._render, call, course, debug)

    def _render(self, call: Call, course: Course, debug: Batch) -> RenderedRequest:
        """The request in the endpoint's language. Adds to `debug` the chunk that shows it, where the caller asked for that."""
        endpoint = course.endpoint
        dialect = self._dialects[endpoint.provider.dialect]
        rendered = dialect.render_request(course.request, endpoint, stream=call.streamed)
        if call.streamed and call.request.debug.echo_upstream_body:
            chunk = ChatCompletionChunk(
                id=call.generation_id, created=call.created_s, model=endpoint.model, provider=endpoint.provider.name
            )
            chunk.debug.echo_upstream_body = (rendered.body if rendered.echo is None else rendered.echo).decode()
            debug.append(chunk)
        return rendered

    def _attempt(self, call: Call, course: Course, rendered: RenderedRequest) -> AsyncGenerator[Batch, None]:
        """One attempt, begun. Where others could follow, it may wait for its first content only for a share of the time that is left."""
        endpoint, provider = course.endpoint, course.endpoint.provider
        timeouts = provider.timeouts
        patience = course.begin_sending()
        request = UpstreamRequest(
            path=rendered.path,
            headers=_headers(call, provider, rendered),
            body=rendered.body,
            deadline_s=call.deadline_s,
            connect_timeout_s=timeouts.connect_s,
            first_byte_timeout_s=patience.first_byte_s,
            first_content_timeout_s=patience.first_content_s,
            idle_timeout_s=timeouts.idle_s,
            total_timeout_s=timeouts.total_s,
        )
        sending = self._upstreams()[provider.slug].send(request)
        if endpoint.most_concurrent is not None:
            sending = course.wait_for_place(sending)
        dialect = self._dialects[provider.dialect]
        return attempt(sending, dialect, patience.first_content_s, self._monotonic_s, course.note_head)


def _headers(call: Call, provider: Provider, rendered: RenderedRequest) -> Mapping[str, str]:
    """The headers of a request: its dialect's, the count of gateways for one that is a gateway, the caller's for this provider."""
    headers = rendered.headers
    if provider.is_gateway:
        headers = {**headers, HOPS_HEADER: str(call.hops + 1)}
    return add_passed(headers, call.passed_headers, provider.dialect) if call.passed_headers else headers
