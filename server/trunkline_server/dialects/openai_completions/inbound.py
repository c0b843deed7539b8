# SPDX-License-Identifier: Apache-2.0
"""Requests of clients of POST /v1/completions: the prompt becomes the one message of a user.

What a chat model cannot do is refused: to fill in before a suffix, to go on from tokens, to answer several prompts at once, to choose the best of several
answers. Without `max_tokens` the model decides where it ends; OpenAI's own limit of 16 tokens was meant for the models of its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.jsonshape import Codec, Fault, ShapeFaults

_OWN: Final = frozenset({"prompt", "suffix", "echo", "logprobs", "best_of"})
_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "messages": "absent: the text stands in `prompt`",
        "tools": "absent: POST /v1/chat/completions has tools",
        "tool_choice": "absent: POST /v1/chat/completions has tools",
        "functions": "absent: POST /v1/chat/completions has functions",
        "function_call": "absent: POST /v1/chat/completions has functions",
    }
)
"""Fields of the contract that this language has no place for, and what is expected of each."""
_MOST_LOGPROBS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What an answer has to know of its request: the text to put before it, "" where `echo` was not asked for."""

    echoed: str = ""


def parse_request(codec: Codec, value: Mapping[str, Any]) -> tuple[ChatCompletionRequest, Prompt]:
    """The request of a client's parsed JSON. Raises ShapeFaults with what is wrong, at places of the client's JSON."""
    if not isinstance(value, Mapping):
        raise ShapeFaults([Fault(path="", expected="an object")])
    faults = [
        Fault(path=name, expected=expected) for name, expected in _ELSEWHERE.items() if value.get(name) is not None
    ]
    prompt = _read_prompt(value.get("prompt"), faults)
    if value.get("suffix"):
        faults.append(Fault(path="suffix", expected="absent: chat models go on from a text, they do not fill in"))
    if value.get("best_of") not in (None, value.get("n") or 1):
        faults.append(Fault(path="best_of", expected="absent, or equal to `n`: all answers are given"))
    echo = value.get("echo")
    if echo is not None and not isinstance(echo, bool):
        faults.append(Fault(path="echo", expected="true or false"))
    body = {name: item for name, item in value.items() if name not in _OWN and item is not None}
    _read_logprobs(body, value.get("logprobs"), faults)
    if faults:
        raise ShapeFaults(faults)
    body["messages"] = [{"role": "user", "content": prompt}]
    return codec.decode(ChatCompletionRequest, body), Prompt(echoed=prompt if echo else "")


def _read_prompt(prompt: Any, faults: list[Fault]) -> str:
    """The text of a prompt: a string, or a list of one."""
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, str) and prompt:
        return prompt
    if isinstance(prompt, list) and any(isinstance(item, str) for item in prompt):
        expected = "one text: the gateway answers one prompt a call; send a call for each"
    elif isinstance(prompt, list) and prompt:
        expected = "text: tokens have a meaning for one model only"
    else:
        expected = "a text that is not empty"
    faults.append(Fault(path="prompt", expected=expected))
    return ""


def _read_logprobs(body: dict[str, Any], logprobs: Any, faults: list[Fault]) -> None:
    """How many alternatives of each token are wanted, a number here; 0 asks for the chosen tokens alone."""
    if logprobs is None:
        return
    if type(logprobs) is not int or not 0 <= logprobs <= _MOST_LOGPROBS:
        faults.append(Fault(path="logprobs", expected=f"an integer from 0 to {_MOST_LOGPROBS}"))
        return
    body["logprobs"] = True
    body["top_logprobs"] = logprobs
