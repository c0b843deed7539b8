# SPDX-License-Identifier: Apache-2.0
"""Python source under construction."""

from trunkline_server.jsonshape.source import Source, attribute, function_name, set_literal


def test_blocks_indent_and_are_never_empty() -> None:
    """An empty block gets a pass; lines follow the depth."""
    source = Source()
    with source.block("def f():"):
        with source.block("if x:"):
            pass
        source.line("return 1")
    assert source.text() == "def f():\n    if x:\n        pass\n    return 1\n"


def test_names_and_literals() -> None:
    """Names come from full protobuf names, sets are written in a fixed order."""
    assert function_name("decode", "a.b.C", "x") == "decode__a__b__C__as__x"
    assert set_literal({"b", "a'"}) == """frozenset(["a'", 'b'])"""
    assert attribute(("a", "b")) == "m.a.b"
