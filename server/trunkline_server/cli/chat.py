# SPDX-License-Identifier: Apache-2.0
"""`trunkline chat`: one question, its answer streamed to the terminal."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import Any, Final

from trunkline_server.cli.answer import AnswerScreen
from trunkline_server.cli.gateway import add_gateway_flags, grpc_gateway, http_gateway
from trunkline_server.cli.terminal import CommandError, Terminal
from trunkline_server.config.sources import MODEL_VARIABLE

_STDIN: Final = "-"
_EXAMPLES: Final = """\
examples:
  trunkline chat "Why is the sky blue?"
  trunkline chat --model sim/reasoner --http http://127.0.0.1:8080 "Think first"
  git diff | trunkline chat --system "Review this change." -
  trunkline chat --max-tokens 50 "Write a long poem" > poem.txt

Reasoning appears paler, and only on a screen: a file or pipe gets the answer alone. Ctrl-C stops the answer, and the provider's work with it.
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `chat` to the command line."""
    parser = commands.add_parser(
        "chat",
        help="ask a model and stream its answer",
        description="Ask a model and stream its answer to the terminal.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help='the question; "-" reads it from standard input')
    add_gateway_flags(parser)
    parser.add_argument(
        "--model", "-m", help=f"the model (default: the variable {MODEL_VARIABLE}, else the gateway's own default)"
    )
    parser.add_argument("--system", metavar="TEXT", help="instructions that go before the question")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="the most tokens of the answer")
    parser.add_argument("--temperature", type=float, metavar="N", help="how freely tokens are drawn, 0 to 2")
    parser.add_argument(
        "--timeout-s",
        type=float,
        default=600.0,
        metavar="N",
        help="the longest wait for the answer, in seconds (default: 600)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Ask, and show the answer as it comes."""
    request = make_request(arguments, terminal)
    screen = AnswerScreen(terminal)
    started_s = time.monotonic()
    try:
        if arguments.http:
            gateway = http_gateway(arguments, terminal, timeout_s=arguments.timeout_s)
            with closing(gateway.stream("/chat/completions", {**request, "stream": True})) as events:
                for event in events:
                    screen.event(event)
        else:
            with (
                grpc_gateway(arguments, terminal, timeout_s=arguments.timeout_s) as client,
                client.stream(request) as chunks,
            ):
                for chunk in chunks:
                    screen.chunk(chunk)
    finally:
        screen.close(time.monotonic() - started_s)
    return 0


def make_request(arguments: argparse.Namespace, terminal: Terminal) -> dict[str, Any]:
    """The request that the command line describes, in the API's JSON. Raises CommandError without a prompt."""
    messages = [{"role": "system", "content": arguments.system}] if arguments.system else []
    messages.append({"role": "user", "content": _read_prompt(arguments.prompt, terminal)})
    request: dict[str, Any] = {"messages": messages}
    model = arguments.model or terminal.environment.get(MODEL_VARIABLE)
    optional = {"model": model, "max_tokens": arguments.max_tokens, "temperature": arguments.temperature}
    return request | {key: value for key, value in optional.items() if value is not None}


def _read_prompt(words: list[str], terminal: Terminal) -> str:
    if words == [_STDIN] or (not words and not terminal.inp.isatty()):
        prompt = terminal.inp.read()
    else:
        prompt = " ".join(words)
    if not prompt.strip():
        raise CommandError('there is no prompt: write one, or "-" to read it from standard input', status=2)
    return prompt
