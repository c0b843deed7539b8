# SPDX-License-Identifier: Apache-2.0
"""The codec as its users see it."""

import orjson
import pytest

from support.shapes import contract, extra, field, message
from trunkline_server.jsonshape import Codec, Mode, ShapeFaults

SHAPES = contract(
    message("Root", field("repeated Leaf leaves"), field("optional string s"), extra(), unknown="kept"),
    message("Leaf", field("int32 n", required=True)),
    message("Other", field("optional string s")),
)
ROOT = SHAPES["Root"]


def codec() -> Codec:
    """A codec for the root alone."""
    return Codec.compile([ROOT.DESCRIPTOR])


def test_a_message_makes_the_round_trip() -> None:
    """Decode, validate, encode and dump agree."""
    root = codec().decode(ROOT, {"leaves": [{"n": 1}], "k": {"a": 1}})
    assert codec().validate(root) == []
    assert orjson.loads(orjson.dumps(codec().encode(root))) == {"leaves": [{"n": 1}], "k": {"a": 1}}
    assert codec().dump(root, answer=False) == b'{"leaves":[{"n":1}],"k":{"a":1}}'


def test_several_faults_come_at_once_and_never_too_many() -> None:
    """A caller can repair a body in one go."""
    with pytest.raises(ShapeFaults) as caught:
        codec().decode(ROOT, {"leaves": [{"n": "x"}] * 50, "s": 1})
    assert len(caught.value.faults) == 20
    assert caught.value.faults[1].path == "leaves[1].n"


def test_the_refused_keys_are_an_argument() -> None:
    """Whoever composes the gateway says which keys no caller may send."""
    open_codec = Codec.compile([ROOT.DESCRIPTOR], refused=frozenset({"k"}))
    assert open_codec.decode(ROOT, {"api_key": "x"}).extra == {"api_key": '"x"'}  # type: ignore[attr-defined]  # made at run time
    with pytest.raises(ShapeFaults):
        open_codec.decode(ROOT, {"k": 1})


@pytest.mark.parametrize("mode", ["decode", "decode_loosely", "encode_answer", "encode_request", "validate"])
def test_the_generated_source_can_be_read_and_is_always_the_same(mode: Mode) -> None:
    """Two codecs of one contract write the same code, which is Python."""
    source = codec().source(mode, "shapes.Root")
    assert source == codec().source(mode, "shapes.Root")
    compile(source, "test", "exec")


def test_functions_can_be_made_ahead() -> None:
    """Loading makes the functions of a message and of all that it holds."""
    ready = codec()
    ready.load([ROOT], ["decode"])
    assert ready.decode(ROOT, {}) == ROOT()


def test_a_message_that_was_not_compiled_is_a_mistake_of_the_program() -> None:
    """The error names the message and what to do."""
    with pytest.raises(KeyError, match=r"shapes\.Other is not among the compiled messages"):
        codec().decode(SHAPES["Other"], {})


def test_text_of_the_contract_is_never_code() -> None:
    """Quotes and line ends in options stay inside literals."""
    evil = "a'\"\n import os #"
    shapes = contract(message("M", field("optional string s", json_key=evil, aliases=["'''"])))
    made = Codec.compile([shapes["M"].DESCRIPTOR])
    assert made.dump(made.decode(shapes["M"], {evil: "x"})) == orjson.dumps({evil: "x"})
