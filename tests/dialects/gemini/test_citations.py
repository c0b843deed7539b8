# SPDX-License-Identifier: Apache-2.0
"""Citations: bytes there, characters here."""

from typing import Any

import pytest

from trunkline_server.dialects.gemini.citations import count_searches, read_citations

CONTENT = "é: the cat sat. The end."
WEB = {"web": {"uri": "https://example.com/cat", "title": "Cats"}}
MAP = {"maps": {"uri": "https://example.com/map"}}


def support(places: object, **segment: object) -> dict[str, object]:
    """A segment and its sources."""
    return {"segment": segment, "groundingChunkIndices": places}


def cite(candidate: dict[str, Any]) -> list[tuple[str, str, int | None, int | None]]:
    """URL, title, start and end of each citation."""
    found = [annotation.url_citation for annotation in read_citations(candidate, CONTENT)]
    return [
        (one.url, one.title, *((one.start_index, one.end_index) if one.HasField("end_index") else (None, None)))
        for one in found
    ]


def ground(*supports: object, chunks: object = (WEB, MAP)) -> dict[str, Any]:
    """A candidate with grounding."""
    made = list(chunks) if isinstance(chunks, tuple) else chunks
    return {"groundingMetadata": {"groundingChunks": made, "groundingSupports": list(supports)}}


CAT = ("https://example.com/cat", "Cats")
PLACE = ("https://example.com/map", "")
CASES: list[tuple[str, dict[str, Any], list[Any]]] = [
    (
        "a segment",
        ground(support([0], startIndex=4, endIndex=16, text="the cat sat.")),
        [(*CAT, 3, 15), (*PLACE, None, None)],
    ),
    (
        "two sources of one segment",
        ground(support([0, 1], endIndex=3, text="é:")),
        [(*CAT, 0, 2), (*PLACE, 0, 2)],
    ),
    (
        "a segment of another part, found by its text",
        ground(support([0], startIndex=0, endIndex=8, text="The end.")),
        [(*CAT, 16, 24), (*PLACE, None, None)],
    ),
    (
        "a text that is nowhere",
        ground(support([0], startIndex=0, endIndex=8, text="nowhere")),
        [(*CAT, None, None), (*PLACE, None, None)],
    ),
    (
        "a place without text",
        ground(support([1], startIndex=0, endIndex=3)),
        [(*PLACE, 0, 2), (*CAT, None, None)],
    ),
    (
        "a place outside",
        ground(support([1], startIndex=0, endIndex=99), support([9, "x"], startIndex=0), support(None, endIndex=1), 3),
        [(*PLACE, None, None), (*CAT, None, None)],
    ),
    ("chunks that are none", ground(chunks=({}, {"web": {"uri": 3}}, "x")), []),
    ("no list", ground(chunks="x"), []),
    (
        "quotations of the Gemini API",
        {"citationMetadata": {"citationSources": [{"startIndex": 4, "endIndex": 16, "uri": "https://a"}, {"uri": ""}]}},
        [("https://a", "", 3, 15)],
    ),
    (
        "quotations of Vertex AI",
        {"citationMetadata": {"citations": [{"endIndex": 3, "uri": "https://a", "title": "A"}]}},
        [("https://a", "A", 0, 2)],
    ),
    ("nothing", {"groundingMetadata": None, "citationMetadata": 3}, []),
]


@pytest.mark.parametrize(("candidate", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_citations(candidate: dict[str, Any], expected: list[Any]) -> None:
    """Each source of each segment is cited where the segment stands; sources that no segment names are cited without a place."""
    assert cite(candidate) == expected


def test_searches() -> None:
    """The queries tell how often the web was searched."""
    assert count_searches({"webSearchQueries": ["a", "b"]}) == 2
    assert [count_searches(value) for value in (None, {}, {"webSearchQueries": 3})] == [0, 0, 0]
