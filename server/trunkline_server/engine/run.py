# SPDX-License-Identifier: Apache-2.0
"""The whole story of a call.

Fall-back happens only before the first content has left: until then every failure can be made good by another endpoint unseen, afterwards it is told.
Cancellation is this generator being closed: the attempt's context is left at once, which aborts the upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Catalog, Endpoint
from trunkline_server.core.call import LARGE_REQUEST_BYTES, Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, RecordKeeper, Upstream, UpstreamRequest
from trunkline_server.dialects.base import Dialect, RenderedRequest
from trunkline_server.engine.answer import Answer
from trunkline_server.engine.attempt import attempt
from trunkline_server.engine.record import CallStory
from trunkline_server.routing.plan import make_plan
from trunkline_server.routing.retry import next_endpoint


class Engine:
    """The Gateway that both edges call.

    `upstreams` are by provider slug, `dialects` by name; `catalog()` is the catalog of the moment; `monotonic_s` the clock of deadlines.
    """

    def __init__(
        self,
        *,
        catalog: Callable[[], Catalog],
        upstreams: Callable[[], Mapping[str, Upstream]],
        dialects: Mapping[str, Dialect],
        records: RecordKeeper,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._upstreams = upstreams
        self._dialects = dialects
        self._records = records
        self._monotonic_s = monotonic_s

    async def run(self, call: Call) -> AsyncGenerator[Batch, None]:
        """The call's answer as batches of chunks; the first one has content. See `ports.Gateway`."""
        story = CallStory(call, self._monotonic_s)
        try:
            plan = make_plan(call.request, self._catalog())
            rest = list(plan.endpoints)
            debug: Batch = []
            while True:
                self._check_deadline(call, story)
                endpoint = rest.pop(0)
                answer = Answer(call, endpoint, debug)
                story.begin_attempt(answer)
                try:
                    if call.size_bytes < LARGE_REQUEST_BYTES:
                        rendered = self._render(call, endpoint, debug)
                    else:
                        rendered = await asyncio.to_thread(self._render, call, endpoint, debug)
                    story.leave_out(rendered.dropped)
                    async with aclosing(self._attempt(call, endpoint, rendered, len(rest))) as batches:
                        del rendered  # the attempt lets go of the body once it is sent
                        async for batch in batches:
                            leaving = answer.accept(batch)
                            if leaving is not batch:
                                batch.clear()
                            if leaving:
                                story.saw_content()
                                yield leaving
                    last = answer.finish()
                    story.succeed()
                    yield last
                    return
                except GatewayError as error:
                    place = None if answer.has_begun else next_endpoint(error, endpoint, rest)
                    if place is None:
                        # Nobody can do better, so what this provider had said is all there is.
                        leaving = answer.accept([*error.partial])
                        if leaving:
                            story.saw_content()
                            yield leaving
                        error.open_choices = answer.open_choices
                        raise error.with_attempts(
                            story.failures, provider=endpoint.provider.name, requested_models=plan.requested_models
                        ) from error.__cause__
                    story.pass_on(error)
                    del rest[:place]
        except GatewayError as error:
            story.fail(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            story.cancel()
            raise
        finally:
            self._records.keep(story.end())

    def _check_deadline(self, call: Call, story: CallStory) -> None:
        if call.deadline_s <= self._monotonic_s():
            message = "The deadline passed before a provider could be tried."
            reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
            raise GatewayError(reason, message, attempts=story.failures)

    def _render(self, call: Call, endpoint: Endpoint, debug: Batch) -> RenderedRequest:
        """The request in the endpoint's language. Adds to `debug` the chunk that shows it, where the caller asked for that."""
        dialect = self._dialects[endpoint.provider.dialect]
        rendered = dialect.render_request(call.request, endpoint, stream=call.streamed)
        if call.streamed and call.request.debug.echo_upstream_body:
            chunk = ChatCompletionChunk(
                id=call.generation_id, created=call.created_s, model=endpoint.model, provider=endpoint.provider.name
            )
            chunk.debug.echo_upstream_body = rendered.body.decode()
            debug.append(chunk)
        return rendered

    def _attempt(
        self, call: Call, endpoint: Endpoint, rendered: RenderedRequest, left: int
    ) -> AsyncGenerator[Batch, None]:
        """One attempt, begun. Where `left` endpoints could follow, it may wait for its first byte only for its share of the time."""
        provider = endpoint.provider
        timeouts = provider.timeouts
        share_s = (call.deadline_s - self._monotonic_s()) / (left + 1) if left else timeouts.first_byte_s
        request = UpstreamRequest(
            path=rendered.path,
            headers=rendered.headers,
            body=rendered.body,
            deadline_s=call.deadline_s,
            connect_timeout_s=timeouts.connect_s,
            first_byte_timeout_s=min(timeouts.first_byte_s, share_s),
            idle_timeout_s=timeouts.idle_s,
        )
        dialect = self._dialects[provider.dialect]
        return attempt(self._upstreams()[provider.slug], dialect, request, self._monotonic_s)
