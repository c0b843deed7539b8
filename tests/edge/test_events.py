# SPDX-License-Identifier: Apache-2.0
"""Server-sent events as bytes."""

import orjson
import pytest

from support.builders import make_route
from support.http_edge import make_codec
from trunkline.jsonshape.v1.options_pb2 import ServerSentEvents
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.events import Framing, error_chunk, frame_event, frame_events


def test_framing_comes_from_the_options() -> None:
    """Comment and terminator are the method's; without a terminator a stream simply ends."""
    assert Framing.read(ServerSentEvents(comment="WAIT", terminator="END")) == Framing(
        comment=b": WAIT\n\n", terminator=b"data: END\n\n"
    )
    assert Framing.read(ServerSentEvents(comment="WAIT")).terminator == b""


def test_frame_events() -> None:
    """One event a text, in order."""
    assert frame_events([b"{}", b"[]"]) == b"data: {}\n\ndata: []\n\n"
    assert frame_event(b"{}") == frame_events([b"{}"])


def test_the_chunk_of_a_failure() -> None:
    """The provider that failed stands in where none was answering."""
    error = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Gone.", provider="Acme")
    chunk = error_chunk(error, generation_id="gen-1", created_s=5, model="acme/one", provider="")
    assert orjson.loads(make_codec().dump(chunk)) == {
        "id": "gen-1",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "acme/one",
        "provider": "Acme",
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        "error": {
            "code": 502,
            "message": "Gone.",
            "metadata": {
                "error_type": "provider_unavailable",
                "reason": "PROVIDER_UNAVAILABLE",
                "provider_name": "Acme",
            },
        },
    }


@pytest.mark.parametrize(("reason", "told"), [("PROVIDER_UNAVAILABLE", True), ("SERVER", False)])
def test_the_chunk_of_a_failure_tells_the_route(reason: str, told: bool) -> None:
    """The route that was asked for leaves with the last chunk, except where the failure is masked."""
    error = GatewayError(ErrorReason.Value(f"ERROR_REASON_{reason}"), "Gone.")
    error.route = make_route()
    chunk = error_chunk(error, generation_id="gen-1", created_s=5, model="acme/one", provider="")
    assert chunk.HasField("openrouter_metadata") is told


@pytest.mark.parametrize(
    ("open_choices", "ended"),
    [(None, [0]), ((), []), ((1,), [1]), ((0, 2), [0, 2])],
    ids=["unknown", "none", "one", "two"],
)
def test_a_failure_ends_what_is_open(open_choices: tuple[int, ...] | None, ended: list[int]) -> None:
    """Each choice that had begun and not ended gets its one finish reason; an ended one gets no second."""
    error = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Gone.")
    error.open_choices = open_choices
    chunk = error_chunk(error, generation_id="gen-1", created_s=5, model="acme/one", provider="")
    assert [choice.index for choice in chunk.choices] == ended
