# SPDX-License-Identifier: Apache-2.0
"""What each model says. Pure: an answer follows from the request alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Final

import orjson

from trunkline_server.upstream.simulator.body import Json
from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.image import data_url, draw_png
from trunkline_server.upstream.simulator.limits import MAX_COST, Work, answer_too_large, token_cost
from trunkline_server.upstream.simulator.reasoning import check_details, think
from trunkline_server.upstream.simulator.request import AnswerFormat, SimulatorRequest
from trunkline_server.upstream.simulator.schema import Steps, fill_schema
from trunkline_server.upstream.simulator.script import Call, Choice, Picture, Segment, Text, make_choice
from trunkline_server.upstream.simulator.tokens import split_beginning, split_json
from trunkline_server.upstream.simulator.toolbox import Tool
from trunkline_server.upstream.simulator.vision import describe_parts

_CALL_ID_DIGITS: Final = 24
_CUT_AS_ONE: Final = 16
"""Tokens that are cut at stops and budgets in the time in which one is found."""


def answer_request(request: SimulatorRequest) -> Work[Sequence[Choice]]:
    """The choices of the answer. Raises RefusedError where the request asks for what cannot be given, or for too much."""
    dice, steps = Dice(request.digest), Steps()
    alternatives = request.alternatives if request.logprobs else None
    content = None
    if request.answer_format.kind != "json_schema":  # once: it is the same in every choice
        content = yield from _plain_content(request, MAX_COST // (request.choices * token_cost(alternatives)))
    choices, cost = [], 0
    for index in range(request.choices):
        segments = yield from _say(request, content, dice.child(f"choice {index}"), steps)
        choice = make_choice(index, segments, stops=request.stops, budget=request.budget)
        cost += choice.tokens + choice.tokens_of(Text) * (token_cost(alternatives) - 1)
        if cost > MAX_COST:
            raise answer_too_large(request.choices, alternatives)
        choices.append(choice)
        yield choice.tokens // _CUT_AS_ONE
    return choices


def _say(request: SimulatorRequest, content: Text | None, dice: Dice, steps: Steps) -> Work[Sequence[Segment]]:
    """The segments of one choice: thoughts, then tool calls or content. Every model obeys a `tool_choice` that forces calls."""
    said: list[Segment] = []
    if request.family == "reasoner":
        check_details(request.messages)
        thoughts = think(request.user_text, request.thinking, dice.child("reasoning"))
        if thoughts is not None:
            said.append(thoughts)
    tools = request.toolbox.forced()
    if request.family == "tools" and not _last_results(request):
        tools = request.toolbox.allowed()
    if tools:
        for position, tool in enumerate(tools):
            said.append((yield from _call(tool, position, dice, steps)))
        return said
    said.append((yield from _filled_content(request.answer_format, dice, steps)) if content is None else content)
    if request.family == "image" and (request.modalities is None or "image" in request.modalities):
        said.append(Picture(url=data_url(draw_png(dice.child("picture")))))
    return said


def _call(tool: Tool, position: int, dice: Dice, steps: Steps) -> Work[Call]:
    own = dice.child(f"call {position}")
    call_id = f"call_{own.hex(_CALL_ID_DIGITS)}"
    arguments = yield from fill_schema(tool.parameters, tool.path, own, steps, strict=tool.strict)
    return Call(position=position, call_id=call_id, name=tool.name, tokens=split_json(_json_text(arguments)))


def _filled_content(form: AnswerFormat, dice: Dice, steps: Steps) -> Work[Text]:
    value = yield from fill_schema(form.schema, form.path, dice.child("schema"), steps, strict=form.strict)
    return Text(tokens=split_json(_json_text(value)))


def _plain_content(request: SimulatorRequest, most: int) -> Work[Text]:
    """What the model says in plain text.

    Of a long text only the beginning counts: what the budget and `most` tokens can hold, what shows that there is more, and as much behind it as a stop
    sequence that begins before may reach.
    """
    kind, said = request.answer_format.kind, _SPEAKERS[request.family](request)
    text = said if isinstance(said, str) else (yield from said)
    as_json = kind in ("python", "json_object") or request.family == "json"
    if kind == "python":
        text = f"print({_json_text(text)})"
    elif as_json:
        text = _json_text({"text": text})
    tokens = most if request.budget is None else min(request.budget, most)
    more = max(map(len, request.stops), default=1)
    return Text(tokens=(yield from split_beginning(text, tokens, more, as_json=as_json)))


def _json_text(value: Json) -> str:
    return orjson.dumps(value).decode()


def _last_results(request: SimulatorRequest) -> Sequence[tuple[str, str]]:
    """The tool results that the conversation ends with, as (tool, result), in order."""
    results = [*takewhile(lambda message: message.role == "tool", reversed(request.messages))][::-1]
    names = {call.call_id: call.name for message in request.messages for call in message.calls}
    return [(names.get(result.tool_call_id or "", "a tool"), result.text) for result in results]


def _echo(request: SimulatorRequest) -> str:
    return request.user_text


def _speak_of_tools(request: SimulatorRequest) -> str:
    results = _last_results(request)
    if results:
        return "\n".join(f"{name} said: {result}" for name, result in results)
    offered = ", ".join(tool.name for tool in request.toolbox.tools)
    return f"I was asked to call none of my tools: {offered}." if offered else "I was offered no tools."


def _reason(request: SimulatorRequest) -> str:
    return f"My answer to your {len(request.user_text)} characters is: {request.user_text}"


def _see(request: SimulatorRequest) -> str | Work[str]:
    message = next((message for message in reversed(request.messages) if message.role == "user"), None)
    return "I was shown nothing." if message is None else describe_parts(message)


def _draw(request: SimulatorRequest) -> str:
    return f"A picture of: {request.user_text}"


_SPEAKERS: Final[Mapping[str, Callable[[SimulatorRequest], str | Work[str]]]] = {
    "echo": _echo,
    "tools": _speak_of_tools,
    "json": _echo,
    "reasoner": _reason,
    "vision": _see,
    "image": _draw,
    "fault": _echo,
}
"""Model (without its prefix) to what it says in plain text."""

FAMILIES: Final = tuple(_SPEAKERS)
"""The models, without their prefix `sim/`."""
