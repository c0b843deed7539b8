# SPDX-License-Identifier: Apache-2.0
"""Bodies of each face, broken in every place in many ways: a fault, never a crash."""

import copy
import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from support.builders import make_call, make_endpoint, make_provider
from support.face_bodies import FULL
from trunkline_server.app import make_codec
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.registry import make_dialects
from trunkline_server.edge.http.faces import Face
from trunkline_server.edge.http.server import make_faces
from trunkline_server.jsonshape import ShapeFaults

CODEC = make_codec()
FACES = {face.path: face for face in make_faces(CODEC, lambda: 0.0) if face.path in FULL}
ENDPOINTS = [(dialect, make_endpoint(make_provider(dialect=name))) for name, dialect in make_dialects(CODEC).items()]
LEFT_OUT = object()
JUNK: list[Any] = [
    *(LEFT_OUT, None, True, 0, -1, 1.5, 10**15, "", "x", [], [None], [1], [[]], ["x"], [{}]),
    *({}, {"type": None}, {"type": "x"}, {"type": 5}, {"x": 1}, {"type": ["text"]}),
]


def places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The keys and indexes that lead to each value inside one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*above, key)
        yield from places(item, (*above, key))


def broken(body: dict[str, Any], place: tuple[str | int, ...], junk: Any) -> dict[str, Any]:
    """A body with something else at a place."""
    made = copy.deepcopy(body)
    holder: Any = made
    for step in place[:-1]:
        holder = holder[step]
    if junk is LEFT_OUT:
        del holder[place[-1]]
    else:
        holder[place[-1]] = copy.deepcopy(junk)
    return made


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_a_full_body_is_read(face: Face) -> None:
    """As it stands, nothing is wrong with it."""
    asked = face.read(copy.deepcopy(FULL[face.path]))
    assert asked.streamed
    assert asked.request.model == "acme/one"


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_a_broken_body_is_a_fault(face: Face) -> None:
    """Whatever stands in whichever place, it is read or refused; what is read can be answered, and sent to any provider or refused for it."""
    body = FULL[face.path]
    for place, junk in itertools.product(places(body), JUNK):
        with suppress(ShapeFaults):
            asked = face.read(broken(body, place, junk))
            asked.begin(make_call())
            for dialect, endpoint in ENDPOINTS:
                with suppress(GatewayError):
                    dialect.render_request(asked.request, endpoint, stream=True)
