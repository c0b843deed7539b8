# SPDX-License-Identifier: Apache-2.0
"""Stages of the pipeline that callers are told of."""

import json

from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.engine.pipeline import Rendering, describe_rendering

BOTH = Rendering(
    dialect="anthropic", dropped=("seed", "messages.name"), changed=(("temperature", "clamped to 1"), ("stop", "cut"))
)


def test_what_was_lost_and_changed_is_told() -> None:
    """The stage names the dialect, says what happened in one sentence, and has it as data."""
    (stage,) = describe_rendering(BOTH)
    assert (stage.type, stage.name) == ("dialect", "anthropic")
    assert stage.summary == "Not sent: seed, messages.name; changed: temperature (clamped to 1), stop (cut)."
    assert json.loads(stage.data) == {
        "dropped": ["seed", "messages.name"],
        "changed": {"temperature": "clamped to 1", "stop": "cut"},
    }


def test_nothing_to_tell() -> None:
    """A request that its provider got whole has no stage."""
    rendering = Rendering.of("anthropic", RenderedRequest(path="/", headers={}, body=b""))
    assert rendering is None
    assert describe_rendering(rendering) == []


def test_only_changes() -> None:
    """What was changed may stand alone."""
    (stage,) = describe_rendering(Rendering(dialect="gemini", dropped=(), changed=(("stop", "cut to 5"),)))
    assert stage.summary == "Changed: stop (cut to 5)."


def test_long_lists_are_cut() -> None:
    """Unknown keys are the caller's words: many or long ones are not all kept."""
    names = tuple(f"{number}-{'x' * 500}" for number in range(500))
    changed = tuple((name, "cut") for name in names)
    kept = Rendering.of("gemini", RenderedRequest(path="/", headers={}, body=b"", dropped=names, changed=changed))
    assert kept is not None
    assert (len(kept.dropped), len(kept.changed)) == (64, 64)
    assert max(len(name) for name in kept.dropped) == 128
