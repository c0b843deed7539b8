# SPDX-License-Identifier: Apache-2.0
"""What models differ in, by their names on each platform."""

import pytest

from trunkline_server.dialects.anthropic.families import family_of

ROWS = [
    ("claude-3-5-haiku-20241022", "none", "disabled", (), True, False),
    ("claude-3-7-sonnet-20250219", "budget", "disabled", (), True, False),
    ("claude-sonnet-4-20250514", "budget", "disabled", (), True, False),
    ("claude-opus-4-1-20250805", "budget", "disabled", (), True, False),
    ("claude-opus-4-1@20250805", "budget", "disabled", (), True, False),
    ("anthropic.claude-opus-4-20250514-v1:0", "budget", "disabled", (), True, False),
    ("claude-sonnet-4-5", "budget", "disabled", (), True, True),
    ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "budget", "disabled", (), True, True),
    ("claude-opus-4-5-20251101", "budget", "disabled", ("low", "medium", "high"), True, True),
    ("claude-opus-4.6", "adaptive", "disabled", ("low", "medium", "high", "max"), True, True),
    ("claude-opus-4-7", "adaptive", "disabled", ("low", "medium", "high", "xhigh", "max"), False, True),
    ("claude-opus-5", "adaptive", "disabled", ("low", "medium", "high", "xhigh", "max"), False, True),
    ("claude-sonnet-5-5", "adaptive", "between_tools", ("low", "medium", "high", "xhigh", "max"), False, True),
    ("claude-opus-5-5", "adaptive", None, ("low", "medium", "high", "xhigh", "max"), False, True),
    ("claude-fable-5-1", "adaptive", None, ("low", "medium", "high", "xhigh", "max"), False, True),
    ("claude-mythos-preview", "adaptive", None, ("low", "medium", "high", "xhigh", "max"), False, True),
    ("claude-of-next-year", "adaptive", "disabled", ("low", "medium", "high", "xhigh", "max"), False, True),
    ("kimi-k3", "budget", "disabled", (), True, False),
]


@pytest.mark.parametrize(("model", "thinking", "off", "efforts", "samples", "schemas"), ROWS)
def test_families(
    model: str, thinking: str, off: str | None, efforts: tuple[str, ...], samples: bool, schemas: bool
) -> None:
    """A model's name tells what it takes; an unknown Claude is taken for a new one, any other for the wire's first form."""
    family = family_of(model)
    assert (family.thinking, family.off, family.efforts) == (thinking, off, efforts)
    assert (family.samples, family.native_schemas) == (samples, schemas)


@pytest.mark.parametrize(("model", "forces"), [("claude-opus-5", True), ("claude-opus-5-5", False)])
def test_forced_tools(model: str, forces: bool) -> None:
    """Newer models refuse a forced tool."""
    assert family_of(model).forces_tools is forces
