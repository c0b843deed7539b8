# SPDX-License-Identifier: Apache-2.0
"""One question, its answer streamed."""

import argparse

import grpc
import pytest

from support.scripted_gateways import GrpcScript, HttpScript, grpc_gateway, http_gateway, sse
from support.terminals import make_terminal
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, Delta
from trunkline_server.cli import main
from trunkline_server.cli.chat import make_request
from trunkline_server.cli.program import make_parser
from trunkline_server.cli.terminal import CommandError

HELLO = {"choices": [{"delta": {"content": "Hello"}}]}
WORLD = {"choices": [{"delta": {"content": ", world"}, "finish_reason": "stop"}]}
CHUNKS = [ChatCompletionChunk(choices=[ChunkChoice(delta=Delta(content=text))]) for text in ("Hello", ", world")]


def parse(*argv: str) -> argparse.Namespace:
    """The arguments of a chat."""
    return make_parser().parse_args(["chat", *argv])


def test_a_chat_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    """The request is what the flags say, the answer what came."""
    with http_gateway(HttpScript(body=sse(HELLO, WORLD, "[DONE]"))) as script:
        status = main(["chat", "--http", script.address, "--key", "sk-1", "-m", "acme/a", "say", "hello"], {})
    assert (status, capsys.readouterr().out) == (0, "Hello, world\n")
    assert script.asked[0][2]["authorization"] == "Bearer sk-1"
    assert script.asked[0][3] == {
        "messages": [{"role": "user", "content": "say hello"}],
        "model": "acme/a",
        "stream": True,
    }


def test_a_chat_over_grpc(capsys: pytest.CaptureFixture[str]) -> None:
    """The same over the other wire, with model and key from the environment."""
    environment = {"TRUNKLINE_API_KEY": "sk-1", "TRUNKLINE_MODEL": "acme/a"}
    with grpc_gateway(GrpcScript(chunks=CHUNKS)) as script:
        status = main(["chat", "--grpc", script.address, "--system", "Be short.", "hello"], environment)
    request, authorization = script.asked[0]
    assert (status, capsys.readouterr().out, authorization) == (0, "Hello, world\n", "Bearer sk-1")
    assert (request.model, request.messages[0].system.content[0].text) == ("acme/a", "Be short.")
    assert request.messages[1].user.content[0].text == "hello"


def test_a_failure_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    """What came is shown, the line is ended, the failure is told, the status is 1."""
    failure = {"error": {"code": 502, "message": "The provider broke off."}, **HELLO}
    with http_gateway(HttpScript(body=sse(HELLO, failure))) as script:
        status = main(["chat", "--http", script.address, "hello"], {})
    captured = capsys.readouterr()
    assert (status, captured.out, captured.err) == (1, "Hello\n", "trunkline: The provider broke off. [HTTP 502]\n")


def test_a_failure_over_grpc(capsys: pytest.CaptureFixture[str]) -> None:
    """The same over the other wire."""
    with grpc_gateway(GrpcScript(chunks=CHUNKS[:1], failure=(grpc.StatusCode.INTERNAL, "Broke off."))) as script:
        status = main(["chat", "--grpc", script.address, "hello"], {})
    captured = capsys.readouterr()
    assert (status, captured.out, captured.err) == (1, "Hello\n", "trunkline: Broke off. [INTERNAL]\n")


@pytest.mark.parametrize("flag", ["--grpc", "--http"])
def test_nobody_there(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The complaint asks whether the gateway runs."""
    with http_gateway(HttpScript()) as gone:
        pass
    address = gone.address.removeprefix("http://")
    assert main(["chat", flag, address, "hello"], {}) == 1
    assert "Is `trunkline serve` running?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "typed", "prompt"),
    [
        (["why", "not"], "", "why not"),
        (["-"], "from a pipe\n", "from a pipe\n"),
        ([], "from a pipe\n", "from a pipe\n"),
    ],
)
def test_the_prompt(argv: list[str], typed: str, prompt: str) -> None:
    """Words of the command line, or standard input."""
    request = make_request(parse(*argv), make_terminal(typed=typed))
    assert request == {"messages": [{"role": "user", "content": prompt}]}


def test_knobs_of_a_request() -> None:
    """Only what is said is sent."""
    request = make_request(parse("--max-tokens", "5", "--temperature", "0", "hi"), make_terminal())
    assert (request["max_tokens"], request["temperature"]) == (5, 0.0)


@pytest.mark.parametrize("argv", [["-"], [" "]])
def test_no_prompt(argv: list[str]) -> None:
    """An empty question is not asked."""
    with pytest.raises(CommandError, match="no prompt"):
        make_request(parse(*argv), make_terminal(typed="\n"))
