# SPDX-License-Identifier: Apache-2.0
"""Thought signatures and where they stood."""

from typing import Any

import pytest

from trunkline_server.dialects.gemini.marks import Signatures, image_mark, place_spare, stands_in_content, text_mark


def signed(place: str | None, data: str = "S") -> dict[str, Any]:
    """A detail with a signature."""
    detail = {"type": "reasoning.encrypted", "data": data, "format": "google-gemini-v1"}
    return detail if place is None else {**detail, "id": place}


TEXTS: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("none", [], [{"text": "Hello world"}]),
    ("the whole", [signed("text:0:11")], [{"text": "Hello world", "thoughtSignature": "S"}]),
    (
        "the middle",
        [signed("text:5:8")],
        [{"text": "Hello"}, {"text": " wo", "thoughtSignature": "S"}, {"text": "rld"}],
    ),
    (
        "an empty part at the end",
        [signed("text:11:11")],
        [{"text": "Hello world"}, {"text": "", "thoughtSignature": "S"}],
    ),
    (
        "two in order",
        [signed("text:0:5", "A"), signed("text:5:11", "B")],
        [{"text": "Hello", "thoughtSignature": "A"}, {"text": " world", "thoughtSignature": "B"}],
    ),
    (
        "a place that the text does not have any more",
        [signed("text:9:99")],
        [{"text": "Hello world"}, {"text": "", "thoughtSignature": "S"}],
    ),
    (
        "places that overlap",
        [signed("text:0:5", "A"), signed("text:3:11", "B")],
        [{"text": "Hello", "thoughtSignature": "A"}, {"text": " world"}, {"text": "", "thoughtSignature": "B"}],
    ),
]


@pytest.mark.parametrize(("details", "expected"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_texts(details: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """A text is taken apart where it was signed; no signature is lost."""
    assert list(Signatures(details).sign("Hello world")) == expected


def test_a_text_that_goes_on() -> None:
    """Places count from the start of the content, of which a part may have gone out before."""
    signatures = Signatures([signed(text_mark(5, 11))], said=5)
    assert list(signatures.sign(" world")) == [{"text": " world", "thoughtSignature": "S"}]


def test_calls_and_images() -> None:
    """A signature with a place is taken from there, once; one without goes to whoever asks."""
    details = [signed("c1", "A"), signed(image_mark(0), "B"), signed(None, "C"), signed("c1", "D"), {"type": "x"}]
    signatures = Signatures([*details, signed("c9", "")])
    assert (signatures.take("c1"), signatures.take("c1"), signatures.take("image:0")) == ("A", None, "B")
    assert (signatures.take_spare(), signatures.take_spare(), signatures.take_spare()) == ("C", "D", None)
    assert not signatures.are_left


def test_what_is_left() -> None:
    """The signature of a call that has another id now goes to a call that asks for any."""
    signatures = Signatures([signed("old")])
    assert signatures.take_spare() is None
    assert signatures.are_left
    assert signatures.take_spare(of_calls=True) == "S"
    assert signatures.take_spare(of_calls=True) is None


def test_spare_signatures() -> None:
    """A signature without a place goes to the last text that has none, else to an empty one."""
    parts: list[dict[str, Any]] = [{"text": "Hi"}]
    place_spare(parts, Signatures([signed(None, "A"), signed(None, "B")]))
    assert parts == [{"text": "Hi", "thoughtSignature": "A"}, {"text": "", "thoughtSignature": "B"}]


def test_places_in_content() -> None:
    """An id that is no place in the content is a call's."""
    places = ["text:0:1", "image:0", "text:x", "call_1"]
    assert [stands_in_content(place) for place in places] == [True, True, False, False]
