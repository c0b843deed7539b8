# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of whatever reads strangers' bytes, by atheris (libFuzzer).

    python tests/fuzz/target.py TARGET [-runs=100000] [-max_len=4096] [CORPUS_FOLDER]

A target may raise the project's own failures and nothing else; libFuzzer stops at the first exception, or at an input that takes longer than its
`-timeout`. `make fuzz` runs each target for a minute.
"""

import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["trunkline_server"]):
    from google.protobuf.message import DecodeError

    from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
    from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
    from trunkline_server.core.checks import check_request
    from trunkline_server.core.errors import GatewayError
    from trunkline_server.dialects.openai_chat import OpenAiChat
    from trunkline_server.dialects.sse import SseDecoder
    from trunkline_server.jsonshape import Codec, ShapeFaults, parse_json

CODEC = Codec.compile([ChatCompletionRequest.DESCRIPTOR, ChatCompletionChunk.DESCRIPTOR])
DIALECT = OpenAiChat(CODEC)


def read_json(data: bytes) -> None:
    """A caller's body: refused, or read, written and read again as the same."""
    try:
        request = CODEC.decode(ChatCompletionRequest, parse_json(data))
    except ShapeFaults:
        return
    assert CODEC.validate(request) == []
    written = CODEC.dump(request, answer=False)
    assert CODEC.dump(CODEC.decode(ChatCompletionRequest, parse_json(written)), answer=False) == written
    try:
        check_request(request)
    except GatewayError:
        return


def read_message(data: bytes) -> None:
    """A caller's protobuf message: refused, or brought into the form that JSON makes."""
    try:
        request = ChatCompletionRequest.FromString(data)
    except DecodeError:
        return
    if not CODEC.validate(request):
        parse_json(CODEC.dump(request, answer=False))


def read_events(data: bytes) -> None:
    """An event stream means the same however it is cut."""
    place = data[0] % (len(data) + 1) if data else 0
    assert events_of([data]) == events_of([data[:place], data[place:]])


def events_of(blocks: list[bytes]) -> object:
    """The events of a stream that came in these blocks."""
    decoder = SseDecoder()
    events: list[object] = []
    try:
        for block in blocks:
            events += decoder.feed(block)
        events += decoder.close()
    except GatewayError as error:
        events.append(error.reason)
    return events


def read_answer(data: bytes) -> None:
    """A provider's answer: chunks, or a failure in the contract's words."""
    decoder = DIALECT.decoder(status=200, headers={"content-type": "text/event-stream"} if data[:1] == b"d" else {})
    try:
        for chunk in [*decoder.feed(data), *decoder.close()]:
            CODEC.dump(chunk)
    except GatewayError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    "json": read_json,
    "message": read_message,
    "events": read_events,
    "answer": read_answer,
}


def main() -> None:
    """Fuzz the target named first; the other arguments are libFuzzer's."""
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"name a target: {', '.join(TARGETS)}")
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
