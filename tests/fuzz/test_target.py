# SPDX-License-Identifier: Apache-2.0
"""The coverage-guided fuzzer runs a short while over each target, from seeds that already reach deep."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.jsonshape import Codec, parse_json

pytest.importorskip("atheris", reason="atheris has no wheel for this platform or Python")

TESTS = Path(__file__).parents[1]
WHOLE = (TESTS / "conformance" / "every_field.json").read_bytes()
SMALL = orjson.dumps({"model": "sim/echo", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
CHUNK = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def message_of(body: bytes) -> bytes:
    """The request of a JSON body, as protobuf writes it."""
    codec = Codec.compile([ChatCompletionRequest.DESCRIPTOR])
    return codec.decode(ChatCompletionRequest, parse_json(body)).SerializeToString()


SEEDS = {
    "json": [WHOLE, SMALL],
    "message": [message_of(WHOLE), message_of(SMALL)],
    "events": [CHUNK, CHUNK.replace(b"\n", b"\r\n"), b": comment\n\nevent: error\ndata: a\ndata: b\n\n"],
    "answer": [CHUNK, CHUNK.split(b"\n\n")[0].removeprefix(b"data: ")],
}


@pytest.mark.slow
@pytest.mark.parametrize("target", SEEDS)
def test_nothing_but_our_own_failures(target: str, tmp_path: Path) -> None:
    """Thousands of inputs grown from the seeds raise nothing else, and none takes a second."""
    for number, seed in enumerate(SEEDS[target]):
        (tmp_path / str(number)).write_bytes(seed)
    program = [sys.executable, str(TESTS / "fuzz" / "target.py"), target]
    limits = ["-runs=20000", "-max_total_time=30", "-max_len=20000", "-timeout=1", f"-artifact_prefix={tmp_path}/"]
    paths = {"PYTHONPATH": ":".join(str(TESTS.parent / folder) for folder in ("clients/python", "server"))}
    run = subprocess.run([*program, *limits, str(tmp_path)], capture_output=True, text=True, env=paths, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
