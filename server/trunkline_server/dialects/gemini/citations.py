# SPDX-License-Identifier: Apache-2.0
"""groundingMetadata and citationMetadata as annotations of the kind url_citation.

Google counts a segment's place in bytes of its part; the contract counts characters of the content. A segment brings its text along, which settles where it
stands; one whose text is not where it should be is looked for, and one that is nowhere is cited without a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trunkline.v1.message_pb2 import Annotation

GROUNDING: Final = "groundingMetadata"
CITATIONS: Final = "citationMetadata"
_SOURCES: Final = ("web", "retrievedContext", "maps", "image")

Span = tuple[int, int]


def read_citations(candidate: Mapping[str, Any], content: str) -> Iterator[Annotation]:
    """The citations of a candidate, of which `content` is all that was said so far."""
    grounding, quoted = candidate.get(GROUNDING), candidate.get(CITATIONS)
    if type(grounding) is dict:
        yield from _read_grounding(grounding, content)
    if type(quoted) is dict:
        # The Gemini API writes citationSources, Vertex AI citations.
        for source in _objects(quoted.get("citationSources") or quoted.get("citations")):
            span = _characters(source, content.encode())
            if type(uri := source.get("uri")) is str and uri:
                yield _annotate(uri, source.get("title"), span)


def count_searches(grounding: object) -> int:
    """How many searches of the web an answer is based on."""
    queries = grounding.get("webSearchQueries") if type(grounding) is dict else None
    return len(queries) if type(queries) is list else 0


def _read_grounding(grounding: Mapping[str, Any], content: str) -> Iterator[Annotation]:
    """One citation for each source of each segment, then one for each source that no segment names."""
    sources = [_read_source(chunk) for chunk in _objects(grounding.get("groundingChunks"))]
    named: set[int] = set()
    said = content.encode()
    for support in _objects(grounding.get("groundingSupports")):
        segment = support.get("segment")
        span = _place(segment, content, said) if type(segment) is dict else None
        places = support.get("groundingChunkIndices")
        for place in places if type(places) is list else ():
            if type(place) is int and 0 <= place < len(sources) and (source := sources[place]) is not None:
                named.add(place)
                yield _annotate(*source, span)
    for place, source in enumerate(sources):
        if source is not None and place not in named:
            yield _annotate(*source, None)


def _read_source(chunk: Mapping[str, Any]) -> tuple[str, object] | None:
    for kind in _SOURCES:
        source = chunk.get(kind)
        if type(source) is dict and type(uri := source.get("uri") or source.get("sourceUri")) is str:
            return uri, source.get("title")
    return None


def _annotate(uri: str, title: object, span: Span | None) -> Annotation:
    annotation = Annotation()
    citation = annotation.url_citation
    citation.url = uri
    if type(title) is str:
        citation.title = title
    if span is not None:
        citation.start_index, citation.end_index = span
    return annotation


def _place(segment: Mapping[str, Any], content: str, said: bytes) -> Span | None:
    """Where a segment stands, in characters; None where it stands nowhere."""
    span, text = _characters(segment, said), segment.get("text")
    if type(text) is not str or not text or (span is not None and content[slice(*span)] == text):
        return span
    start = content.find(text)
    return (start, start + len(text)) if start >= 0 else None


def _characters(segment: Mapping[str, Any], said: bytes) -> Span | None:
    """The place in characters that one in bytes is; None where it lies outside."""
    start, end = segment.get("startIndex", 0), segment.get("endIndex")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= len(said):
        return None
    return len(said[:start].decode(errors="ignore")), len(said[:end].decode(errors="ignore"))


def _objects(value: object) -> Iterator[dict[str, Any]]:
    yield from (item for item in (value if type(value) is list else ()) if type(item) is dict)
