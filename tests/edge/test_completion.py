# SPDX-License-Identifier: Apache-2.0
"""The unary answer: the fold of the stream."""

import asyncio

import pytest

from support.builders import make_call, make_finish_chunk, make_role_chunk, make_route, make_text_chunk
from support.fake_gateway import FakeGateway
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.completion import complete

FAILURE = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Acme broke off.", provider="acme")


async def test_the_whole_answer() -> None:
    """Batches are added up in order."""
    gateway = FakeGateway(script=[[make_text_chunk("Hel"), make_text_chunk("lo")], [], [make_finish_chunk()]])
    answer = await complete(gateway, make_call())
    assert answer.choices[0].message.content[0].text == "Hello"
    assert answer.choices[0].finish_reason == FinishReason.FINISH_REASON_STOP
    assert not answer.HasField("error")


@pytest.mark.parametrize("script", [[FAILURE], [[make_role_chunk()], FAILURE]], ids=["at once", "after a role"])
async def test_a_failure_before_content_is_raised(script: list[object]) -> None:
    """Where nothing was said yet, the failure is the answer."""
    with pytest.raises(GatewayError) as caught:
        await complete(FakeGateway(script=script), make_call())  # type: ignore[arg-type] # parametrized
    assert caught.value is FAILURE


async def test_a_failure_after_content_is_raised_where_it_cannot_be_told() -> None:
    """For a language that has no words for half an answer, it is no answer."""
    with pytest.raises(GatewayError) as caught:
        await complete(FakeGateway(script=[[make_text_chunk("Hel")], FAILURE]), make_call(), keeps_partial=False)
    assert caught.value is FAILURE


async def test_a_failure_after_content_stands_beside_it() -> None:
    """What came is kept; the error and its finish reason say that it is not all."""
    answer = await complete(FakeGateway(script=[[make_text_chunk("Hel")], FAILURE]), make_call())
    assert answer.choices[0].message.content[0].text == "Hel"
    assert answer.choices[0].finish_reason == FinishReason.FINISH_REASON_ERROR
    assert (answer.error.code, answer.error.message) == (502, "Acme broke off.")


@pytest.mark.parametrize(("reason", "told"), [("PROVIDER_UNAVAILABLE", True), ("UNMAPPED", False)])
async def test_the_route_of_a_failed_answer(reason: str, told: bool) -> None:
    """The route that was asked for stands beside what came, except where the failure is masked."""
    failure = GatewayError(ErrorReason.Value(f"ERROR_REASON_{reason}"), "It broke.")
    failure.route = make_route()
    answer = await complete(FakeGateway(script=[[make_text_chunk("Hel")], failure]), make_call())
    assert answer.HasField("openrouter_metadata") is told
    assert not told or answer.openrouter_metadata == failure.route


async def test_a_masked_failure_after_content_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The answer does not tell what failed; the log does."""
    masked = GatewayError(ErrorReason.ERROR_REASON_UNMAPPED, "a secret word")
    answer = await complete(FakeGateway(script=[[make_text_chunk("Hel")], masked]), make_call(request_id="req-7"))
    assert "a secret word" not in str(answer)
    assert "request req-7 failed: UNMAPPED: a secret word" in caplog.text


async def test_a_bug_is_raised_even_after_content() -> None:
    """Only failures in the contract's words may stand beside content."""
    with pytest.raises(RuntimeError, match="bug"):
        await complete(FakeGateway(script=[[make_text_chunk("Hel")], RuntimeError("bug")]), make_call())


async def test_cancelling_closes_the_gateway() -> None:
    """A cancelled call ends the gateway's work at once."""
    gateway = FakeGateway(script=[[make_text_chunk("Hel")], 30.0])
    task = asyncio.create_task(complete(gateway, make_call()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gateway.endings == ["closed"]
