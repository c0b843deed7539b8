# SPDX-License-Identifier: Apache-2.0
"""GenerateContentResponses, read into chunks: each event of a stream is one, and so is a whole answer.

Chunks are made by hand, without the codec: nearly all of them hold one text, and the way for that is kept short. Usage comes with every event of a stream;
the last report counts, so it is read once, where the answer ends. Pictures that belong to a thought are drafts, and are left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, Delta, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.chunks import has_content
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.gemini.citations import CITATIONS, GROUNDING, count_searches, read_citations
from trunkline_server.dialects.gemini.errors import error_of_value
from trunkline_server.dialects.gemini.finishes import FINISHES, UNFINISHED, failure_of_finish, failure_of_prompt
from trunkline_server.dialects.gemini.logprobs import LOGPROBS, read_logprobs
from trunkline_server.dialects.gemini.marks import MADE_ID, image_mark, text_mark
from trunkline_server.dialects.gemini.server_tools import fill_server_tool, read_server_tool
from trunkline_server.dialects.gemini.usage import read_tier, read_usage
from trunkline_server.dialects.media import write_data_url
from trunkline_server.dialects.reasoning import GEMINI_FORMAT

MAX_CHOICES: Final = 128
_STOP: Final = FinishReason.FINISH_REASON_STOP
_TOOL_CALLS: Final = FinishReason.FINISH_REASON_TOOL_CALLS
_NO_ID: Final = re.compile(r"[^A-Za-z0-9]+")
_ID_LENGTH: Final = 24
_KEPT: Final = frozenset({GROUNDING, "urlContextMetadata", "safetyRatings", "finishMessage"})
"""Keys of a candidate that are kept as they came: Google wants its search suggestions shown, and the rest tells why an answer is as it is."""


class _Choice:
    """What is known of one candidate. `texts` is what it said, for the places of citations and signatures; `sources` what it last said of its sources, which
    events repeat.
    """

    __slots__ = ("calls", "detail", "ended", "images", "in_thought", "index", "length", "sources", "texts")

    def __init__(self, index: int) -> None:
        self.index = index
        self.ended = False
        self.in_thought = False
        self.detail = -1
        self.calls = 0
        self.images = 0
        self.length = 0
        self.texts: list[str] = []
        self.sources: dict[str, Any] = {}

    def next_detail(self) -> int:
        """The place of a reasoning detail that stands alone."""
        self.in_thought = False
        self.detail += 1
        return self.detail


class ChunkReader:
    """Reads the responses of one answer, in order.

    `failure` is set when one tells of it; the chunk that `read` returned with it, if any, still counts, and nothing may be read afterwards.
    """

    __slots__ = (
        "_choices",
        "_headers",
        "_id",
        "_is_reported",
        "_model",
        "_open",
        "_searches",
        "_tier",
        "_usage",
        "failure",
    )

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._choices: dict[int, _Choice] = {}
        self._id = ""
        self._model = ""
        self._open = 0
        self._usage: object = None
        self._is_reported = False
        self._searches = 0
        self._tier: str | None = None
        self.failure: GatewayError | None = None

    @property
    def has_begun(self) -> bool:
        """Whether any candidate has come."""
        return bool(self._choices)

    @property
    def is_complete(self) -> bool:
        """Whether at least one candidate has begun and all that began have ended."""
        return not self._open and bool(self._choices)

    def read(self, value: object) -> ChatCompletionChunk | None:
        """The chunk of a response; None where it adds nothing."""
        if type(value) is not dict:
            self.failure = _invalid("The provider sent JSON that is no part of an answer.")
            return None
        usage = value.get("usageMetadata")
        if usage is not None:
            self._usage = usage
        if not self._id:
            self._read_head(value)
        chunk = ChatCompletionChunk(id=self._id, model=self._model)
        candidates = value.get("candidates")
        if candidates and type(candidates) is list:
            for place, candidate in enumerate(candidates):
                if type(candidate) is dict:
                    self._read_candidate(chunk, candidate, place)
        elif "promptFeedback" in value and not self._choices:
            self.failure = failure_of_prompt(value["promptFeedback"])
        if value.get("error"):
            self.failure = error_of_value(value, self._headers)
        # With what ends the answer, and with what comes behind: the last one counts.
        if not self._open and self._choices and (usage is not None or not self._is_reported):
            self._report(chunk)
        if self.failure is not None and not has_content(chunk):
            return None
        return chunk if chunk.choices or chunk.HasField("usage") else None

    def _report(self, chunk: ChatCompletionChunk) -> None:
        """Writes the last report of usage."""
        report = read_usage(self._usage)
        if report is None:
            return
        self._is_reported = True
        if self._searches:
            report.server_tool_use_details.web_search_requests = self._searches
        chunk.usage.CopyFrom(report)

    def _read_head(self, value: Mapping[str, Any]) -> None:
        if type(given := value.get("responseId")) is str:
            self._id = given
        if type(given := value.get("modelVersion")) is str:
            self._model = given
        self._tier = read_tier(self._usage, self._headers)

    def _read_candidate(self, chunk: ChatCompletionChunk, candidate: Mapping[str, Any], place: int) -> None:
        """Adds what a candidate says. Google leaves the index out where it is 0, which is the place of such a candidate."""
        index = candidate.get("index", place)
        choice = self._choices.get(index) if type(index) is int else None
        if choice is None:
            if type(index) is not int or not 0 <= index < MAX_CHOICES:
                self.failure = self.failure or _invalid("The provider sent a candidate with an index that is none.")
                return
            choice = self._choices[index] = _Choice(index)
            self._open += 1
            added = chunk.choices.add(index=index)
            added.delta.role = "assistant"
            if self._tier is not None:
                chunk.service_tier, self._tier = self._tier, None
        elif choice.ended:
            return
        else:
            added = chunk.choices.add(index=index)
        delta = added.delta
        content = candidate.get("content")
        parts = content.get("parts") if type(content) is dict else None
        if type(parts) is list:
            for part in parts:
                if type(part) is dict:
                    self._read_part(choice, delta, part)
        if len(candidate) > 1 or content is None:
            self._read_rest(choice, added, candidate)
        if not added.HasField("delta") and not added.HasField("logprobs") and not added.finish_reason:
            del chunk.choices[-1]

    def _read_part(self, choice: _Choice, delta: Delta, part: Mapping[str, Any]) -> None:
        text = part.get("text")
        if type(text) is str:
            if len(part) == 1:
                if text:
                    delta.content += text
                    choice.texts.append(text)
                    choice.length += len(text)
                    choice.in_thought = False
            else:
                _read_marked_text(choice, delta, text, part)
            return
        call, media = part.get("functionCall"), part.get("inlineData")
        if type(call) is dict:
            self._read_call(choice, delta, call, part.get("thoughtSignature"))
        elif type(media) is dict:
            _read_media(choice, delta, media, part)
        else:
            said = read_server_tool(part)
            if said is not None:
                detail = delta.reasoning_details.add(format=GEMINI_FORMAT, index=choice.next_detail())
                fill_server_tool(said, detail)
            elif type(signature := part.get("thoughtSignature")) is str:
                _add_signature(choice, delta, signature, text_mark(choice.length, choice.length))

    def _read_call(self, choice: _Choice, delta: Delta, call: Mapping[str, Any], signature: object) -> None:
        """Adds a call, whole: its arguments come as an object."""
        name, arguments, call_id = call.get("name"), call.get("args"), call.get("id")
        if type(name) is not str or not name or "partialArgs" in call:
            self.failure = self.failure or _invalid(
                "The provider sent a call of a function in pieces, or without a name."
            )
            return
        place = choice.calls
        choice.calls += 1
        text = orjson.dumps(arguments if type(arguments) is dict else {})
        if type(call_id) is not str or not call_id:
            call_id = f"{MADE_ID}{self._mark(text)}_{choice.index}_{place}"
        added = delta.tool_calls.add(index=place, id=call_id, type="function")
        added.function.name, added.function.arguments = name, text.decode()
        if type(signature) is str:
            _add_signature(choice, delta, signature, call_id)

    def _mark(self, arguments: bytes) -> str:
        """What tells the ids made for this answer from those of other turns: its id, else a digest of a call's arguments."""
        own = _NO_ID.sub("", self._id)[-_ID_LENGTH:]
        return own or hashlib.blake2b(arguments, digest_size=8).hexdigest()

    def _read_rest(self, choice: _Choice, added: ChunkChoice, candidate: Mapping[str, Any]) -> None:
        """Reads what stands beside the content: citations, log probabilities, the end."""
        for key in (GROUNDING, CITATIONS):
            if key in candidate:
                choice.sources[key] = candidate[key]
        if LOGPROBS in candidate:
            read_logprobs(candidate[LOGPROBS], added.logprobs)
        word = candidate.get("finishReason")
        if type(word) is not str or word in UNFINISHED:
            return
        self.failure = self.failure or failure_of_finish(word)
        if self.failure is not None:
            return
        if choice.sources:
            added.delta.annotations.extend(read_citations(choice.sources, "".join(choice.texts)))
            self._searches += count_searches(choice.sources.get(GROUNDING))
        for key, kept in {**candidate, **choice.sources}.items():
            if key in _KEPT:
                added.extra[key] = orjson.dumps(kept).decode()
        reason = FINISHES.get(word, _STOP)
        added.finish_reason = _TOOL_CALLS if reason == _STOP and choice.calls else reason
        added.native_finish_reason = word
        choice.ended = True
        self._open -= 1


def _read_marked_text(choice: _Choice, delta: Delta, text: str, part: Mapping[str, Any]) -> None:
    """Adds a text that is a thought, or signed, or both."""
    signature = part.get("thoughtSignature")
    signature = signature if type(signature) is str and signature else None
    if part.get("thought") is True:
        if not choice.in_thought:
            choice.next_detail()
            choice.in_thought = True
        detail = delta.reasoning_details.add(format=GEMINI_FORMAT, index=choice.detail)
        detail.text.text = text
        if text:
            delta.reasoning += text
        if signature is not None:
            detail.text.signature = signature
            choice.in_thought = False
        return
    start = choice.length
    if text:
        delta.content += text
        choice.texts.append(text)
        choice.length += len(text)
        choice.in_thought = False
    if signature is not None:
        _add_signature(choice, delta, signature, text_mark(start, choice.length))


def _read_media(choice: _Choice, delta: Delta, media: Mapping[str, Any], part: Mapping[str, Any]) -> None:
    """Adds a picture or sound that the model made."""
    kind, data = media.get("mimeType"), media.get("data")
    if part.get("thought") is True or type(kind) is not str or type(data) is not str:
        return
    if kind.startswith("audio/"):
        delta.audio.data += data
        delta.audio.extra["mime_type"] = orjson.dumps(kind).decode()
        return
    image = delta.images.add(index=choice.images)
    image.image_url.url = write_data_url(kind, data)
    if type(signature := part.get("thoughtSignature")) is str:
        _add_signature(choice, delta, signature, image_mark(choice.images))
    choice.images += 1


def _add_signature(choice: _Choice, delta: Delta, signature: str, mark: str) -> None:
    detail = delta.reasoning_details.add(id=mark, format=GEMINI_FORMAT, index=choice.next_detail())
    detail.encrypted.data = signature


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
