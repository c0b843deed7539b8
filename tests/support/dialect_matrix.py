# SPDX-License-Identifier: Apache-2.0
"""Plays one cell of the golden matrix: a scenario's request in a dialect's language, and the provider's recorded answer as a client gets it."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from google.protobuf.message import Message

from support.answer_cuts import Outcome, play
from support.aws_frames import frame_file
from support.builders import make_endpoint, make_provider
from support.dialect_scenarios import ENDPOINTS, ERROR_STATUSES, SCENARIOS, STREAM_ENDINGS, STREAM_TYPES
from support.message_frames import read_body, read_messages
from support.source_tree import ROOT
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorBody
from trunkline_server.core.chunks import Fold
from trunkline_server.core.errors import GatewayError, error_body
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.dialects.registry import DIALECT_NAMES, OVER_GRPC, make_dialects
from trunkline_server.jsonshape import Codec

FOLDER = ROOT / "tests" / "dialects" / "matrix"
CODEC = Codec.compile(
    [root.DESCRIPTOR for root in (ChatCompletionRequest, ChatCompletion, ChatCompletionChunk, ErrorBody)]
)
DIALECTS = make_dialects(CODEC)
_OK = 200
_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: a dialect, a scenario, and whether the answer is streamed."""

    dialect: str
    scenario: str
    streamed: bool

    def __str__(self) -> str:
        return f"{self.dialect}-{self.scenario}-{'stream' if self.streamed else 'unary'}"

    @property
    def is_over_grpc(self) -> bool:
        """Whether its answers are messages, always streamed, which the network cannot cut; failures are statuses then."""
        return self.dialect in OVER_GRPC

    @property
    def golden(self) -> str:
        """The name of the file of what is expected."""
        return f"matrix/{self.dialect}/{self.scenario}.{'stream' if self.streamed else 'unary'}.json"

    @property
    def recording(self) -> Path | None:
        """The file of the provider's answer; None where there is none."""
        endings = STREAM_ENDINGS if self.streamed or self.is_over_grpc else (".answer.json",)
        paths = [FOLDER / self.dialect / f"{self.scenario}{ending}" for ending in endings]
        return next((path for path in paths if path.is_file()), None)

    def render(self) -> RenderedRequest:
        """The scenario's request as a provider of the dialect gets it. Raises GatewayError where the dialect cannot say it."""
        request = CODEC.decode(ChatCompletionRequest, copy.deepcopy(SCENARIOS[self.scenario]))
        endpoint = make_endpoint(make_provider(self.dialect, dialect=self.dialect), **ENDPOINTS[self.dialect])
        return DIALECTS[self.dialect].render_request(request, endpoint, stream=self.streamed)

    def decoder(self) -> AnswerDecoder:
        """A decoder of the recorded answer."""
        if self.is_over_grpc:
            return DIALECTS[self.dialect].decoder(status=_OK, headers={})
        path = self.recording
        kind = next((STREAM_TYPES[ending] for ending in STREAM_ENDINGS if str(path).endswith(ending)), _JSON)
        is_error = self.scenario == "error" and not self.streamed
        status = ERROR_STATUSES[self.dialect] if is_error else _OK
        return DIALECTS[self.dialect].decoder(status=status, headers={"content-type": kind})

    def answer(self) -> bytes:
        """The recorded answer. Fails the test where a request can be written and no answer is recorded."""
        path = self.recording
        assert path is not None, f"record the provider's answer in {FOLDER / self.dialect}: {self}"
        return frame_file(path) if path.name.endswith(".events.json") else path.read_bytes()

    def blocks(self) -> Iterable[bytes]:
        """The recorded answer uncut: one block, or one for each message. Reading them may raise GatewayError."""
        if not self.is_over_grpc:
            return [self.answer()]
        path = self.recording
        assert path is not None, f"record the provider's answer in {FOLDER / self.dialect}: {self}"
        return read_messages(self.dialect, path)

    def play(self, blocks: Iterable[bytes]) -> Outcome:
        """The recorded answer, cut as given, through a new decoder."""
        return play(self.decoder(), blocks)


CELLS = [
    Cell(dialect=dialect, scenario=scenario, streamed=streamed)
    for dialect in DIALECT_NAMES
    for scenario in SCENARIOS
    for streamed in (False, True)
]


def tell_cell(cell: Cell) -> dict[str, Any]:
    """What the provider gets and what the client gets, as JSON."""
    try:
        rendered = cell.render()
    except GatewayError as error:
        return {"refused": _plain(error_body(error))}
    upstream = {
        "path": rendered.path,
        "headers": dict(rendered.headers),
        "body": read_body(cell.dialect, rendered.body) if cell.is_over_grpc else orjson.loads(rendered.body),
        "dropped": list(rendered.dropped),
        "changed": dict(rendered.changed),
    }
    outcome = cell.play(cell.blocks())
    told: dict[str, Any] = {"upstream": upstream}
    if cell.streamed:
        told["client"] = [_plain(chunk) for chunk in outcome.chunks]
    elif outcome.error is None:
        told["client"] = _plain(fold(outcome))
    if outcome.error is not None:
        told["error"] = _plain(error_body(outcome.error))
    return told


def _plain(message: Message) -> Any:
    """A message as JSON, what the codec leaves as raw text read."""
    return orjson.loads(orjson.dumps(CODEC.encode(message)))


def fold(outcome: Outcome) -> ChatCompletion:
    """The chunks of an answer as one."""
    answer = Fold()
    answer.add(outcome.chunks)
    return answer.result()
