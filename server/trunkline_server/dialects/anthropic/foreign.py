# SPDX-License-Identifier: Apache-2.0
"""Reasoning of other makers inside Anthropic's blocks, so that a client of the Messages API carries it from turn to turn unchanged.

Such a client knows two opaque places and sends both back as they came: the signature of a thinking block and the data of a redacted one. A detail that is not
Anthropic's is written there whole, marked by a prefix that no signature has. It never reaches Anthropic: on the way in it becomes the detail that it was.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import orjson

MARK: Final = "trunkline.reasoning:"
"""Begins what was written here."""


def wrap(detail: Mapping[str, Any]) -> str:
    """A detail as opaque text."""
    return MARK + base64.b64encode(orjson.dumps(dict(detail))).decode()


def unwrap(text: object) -> dict[str, Any] | None:
    """The detail that `wrap` wrote; None for anything else."""
    if not isinstance(text, str) or not text.startswith(MARK):
        return None
    try:
        value = orjson.loads(base64.b64decode(text[len(MARK) :], validate=True))
    except (binascii.Error, ValueError):
        return None
    return value if type(value) is dict else None
