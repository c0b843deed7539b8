# SPDX-License-Identifier: Apache-2.0
"""Going on with a text that broke off: what is asked for, and that nothing is said twice or lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import make_request, make_usage
from trunkline.v1.provider_preferences_pb2 import MidStream, ProviderPreferences
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.engine.seam import LEAST_REPEATED, Seam, add_usage, ask_to_go_on, wants_continuation

CONTINUE, FAIL = MidStream.MID_STREAM_CONTINUE, MidStream.MID_STREAM_FAIL


def join(text: str, *pieces: str) -> str:
    """What passes a seam to the text."""
    seam = Seam(text)
    return "".join([*map(seam.pass_on, pieces), seam.end()])


SAID = "hello, and welcome back"


@pytest.mark.parametrize(
    ("pieces", "new"),
    [
        pytest.param([" world", "."], " world.", id="goes on"),
        pytest.param(["hello, and ", "welcome back home."], " home.", id="begins anew"),
        pytest.param(["hel", "lo, and welcome b", "ack home."], " home.", id="begins anew in other pieces"),
        pytest.param(["hello, and welcome back home."], " home.", id="begins anew at once"),
        pytest.param(["h", "e", "avy"], "heavy", id="only looks like it"),
        pytest.param(["he"], "he", id="ends before it shows"),
        pytest.param([SAID, SAID], SAID, id="says it a third time"),
        pytest.param([], "", id="nothing"),
        pytest.param(["", "", "!"], "!", id="empty pieces"),
    ],
)
def test_what_is_new(pieces: list[str], new: str) -> None:
    """A repetition of the text so far is taken out; what only begins like one is not lost."""
    assert join(SAID, *pieces) == new


@pytest.mark.parametrize(
    ("text", "pieces", "new"),
    [
        pytest.param("ha", ["ha", " ha!"], "ha ha!", id="laughter"),
        pytest.param("1", ["1 apples"], "1 apples", id="digits"),
        pytest.param("no, never, no, never", ["no"], "no", id="long enough, and not all of it"),
        pytest.param("x" * (LEAST_REPEATED - 1), ["x" * LEAST_REPEATED], "x" * LEAST_REPEATED, id="one too short"),
        pytest.param("x" * LEAST_REPEATED, ["x" * LEAST_REPEATED, "y"], "y", id="just long enough"),
    ],
)
def test_a_short_text_may_be_said_again(text: str, pieces: list[str], new: str) -> None:
    """A word that is said twice is not lost; only a long text said again is a new beginning."""
    assert join(text, *pieces) == new


@pytest.mark.parametrize(
    ("text", "pieces", "new"),
    [
        pytest.param("Hello ", [" world"], "world", id="said again"),
        pytest.param("Hello ", ["world"], "world", id="not said again"),
        pytest.param("def f():\n    ", ["\n", "  ", "  return"], "return", id="in pieces"),
        pytest.param("def f():\n    ", ["\n  return"], "return", id="in part"),
        pytest.param("a\n", ["\n\n* b"], "\n* b", id="more of them"),
        pytest.param("a ", [" ", " b"], " b", id="another one"),
        pytest.param(f"{SAID} ", [f"{SAID} ", " home"], " home", id="behind a new beginning"),
        pytest.param(f"{SAID} ", [SAID, " ", "home"], "home", id="in a new beginning"),
        pytest.param(f"{SAID} ", [SAID, "."], ".", id="not in a new beginning"),
        pytest.param(f"{SAID} ", [f"{SAID}."], ".", id="not in a new beginning at once"),
        pytest.param(f"{SAID}\n\n", [f"{SAID}\n", "home"], "home", id="in part in a new beginning"),
        pytest.param(SAID, [f"\n{SAID}", " home"], " home", id="before a new beginning"),
        pytest.param(SAID, ["\n", " ", "hello, and ", "welcome back home"], " home", id="in pieces before one"),
        pytest.param(f"\n {SAID}", [f"{SAID} home"], " home", id="before the text alone"),
        pytest.param(f"\n\n{SAID}\n", [f" {SAID}\n", "home"], "home", id="others on both sides"),
        pytest.param(SAID, ["\n", "hello, no"], "\nhello, no", id="before what only looks like one"),
        pytest.param(SAID, ["\n", " "], "\n ", id="and nothing behind them"),
        pytest.param("hi" + " " * LEAST_REPEATED + "you", ["\nhi"], "\nhi", id="before what ends before it shows"),
        pytest.param(" " * LEAST_REPEATED + "ha", ["ha"], "ha", id="they make no text long"),
        pytest.param(f" {SAID} ", [" hello", " world"], "hello world", id="only looks like a new beginning"),
        pytest.param(f" {SAID} ", [" he"], "he", id="ends before it shows"),
    ],
)
def test_blanks_at_the_end_are_not_said_twice(text: str, pieces: list[str], new: str) -> None:
    """The endpoint was not shown them, so it may say them."""
    assert join(text, *pieces) == new


PIECES = st.lists(st.text(alphabet="ab", max_size=30), max_size=6)


@given(text=st.text(alphabet="ab", min_size=1, max_size=30), pieces=PIECES, again=st.booleans())
def test_nothing_is_lost_and_nothing_said_twice(text: str, pieces: list[str], again: bool) -> None:
    """Whatever the pieces: all of them pass, less the text so far where they begin with all of it and it is long."""
    pieces = [text[:7], text[7:], *pieces] if again else pieces
    said = "".join(pieces)
    assert join(text, *pieces) == (said.removeprefix(text) if len(text) >= LEAST_REPEATED else said)


@pytest.mark.parametrize(
    ("fields", "wants"),
    [
        ({}, False),
        ({"provider": ProviderPreferences(mid_stream=FAIL)}, False),
        ({"provider": ProviderPreferences(mid_stream=CONTINUE)}, True),
        ({"provider": ProviderPreferences(mid_stream=CONTINUE), "n": 1}, True),
        ({"provider": ProviderPreferences(mid_stream=CONTINUE), "n": 2}, False),
    ],
)
def test_it_is_asked_for(fields: dict[str, object], wants: bool) -> None:
    """By a preference, for one choice."""
    assert wants_continuation(make_request(**fields)) is wants


def test_the_request_for_the_rest() -> None:
    """The text so far stands last, as the assistant's, and counts towards the length; the caller's request stays as it was."""
    request = make_request(max_tokens=10, max_completion_tokens=2)
    asked = ask_to_go_on(request, "twelve bytes")
    assert [message.WhichOneof("message") for message in asked.messages] == ["user", "assistant"]
    assert asked.messages[1].assistant.content[0].text == "twelve bytes"
    assert (asked.max_tokens, asked.max_completion_tokens) == (7, 1)
    assert (len(request.messages), request.max_tokens) == (1, 10)
    assert not ask_to_go_on(make_request(), "text").HasField("max_tokens")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Hello \n", ["Hello"]), (" Hello", [" Hello"]), (" \n", [])],
)
def test_the_rest_is_asked_for_without_blanks_at_the_end(text: str, shown: list[str]) -> None:
    """Anthropic refuses a last message of the assistant that ends with blanks, and one that is empty."""
    asked = ask_to_go_on(make_request(), text)
    assert [message.assistant.content[0].text for message in asked.messages[1:]] == shown


def test_usage_is_added_up() -> None:
    """Tokens and costs of both parts; one estimate makes the sum one."""
    usage, earlier = make_usage(10, 5, cost_pusd=100), make_usage(7, 3, cost_pusd=20, estimated=True)
    usage.cost_details.upstream_inference_cost_pusd = 100
    earlier.cost_details.upstream_inference_cost_pusd = 20
    add_usage(usage, earlier)
    assert usage == Usage(
        prompt_tokens=17,
        completion_tokens=8,
        total_tokens=25,
        cost_pusd=120,
        estimated=True,
        cost_details={"upstream_inference_cost_pusd": 120},
    )
