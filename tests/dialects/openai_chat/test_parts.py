# SPDX-License-Identifier: Apache-2.0
"""Content in parts, where text is due."""

from typing import Any

import pytest

from trunkline_server.dialects.openai_chat.parts import spread_parts

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        pytest.param({"content": []}, {}, id="nothing"),
        pytest.param(
            {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, {"content": "ab"}, id="texts"
        ),
        pytest.param({"content": ["a", {"text": "b"}]}, {"content": "ab"}, id="without type"),
        pytest.param(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, "m", 1]},
                    {"type": "text", "text": "a"},
                ]
            },
            {"reasoning": "hm", "content": "a"},
            id="thinking",
        ),
        pytest.param(
            {"content": [{"type": "reasoning", "text": "hm"}], "reasoning": "so "},
            {"reasoning": "so hm"},
            id="reasoning beside the key",
        ),
        pytest.param({"content": [{"type": "refusal", "refusal": "no"}]}, {"refusal": "no"}, id="refusal"),
        pytest.param({"content": [IMAGE], "images": [IMAGE]}, {"images": [IMAGE, IMAGE]}, id="image"),
        pytest.param(
            {"content": [None, 1, {"type": "x", "y": 1}], "role": "assistant"}, {"role": "assistant"}, id="unknown"
        ),
    ],
)
def test_parts_go_where_they_belong(delta: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each part adds to the field of its kind; a part of no known kind adds its text, if it has any."""
    spread_parts(delta)
    assert delta == expected
