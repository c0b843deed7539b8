# SPDX-License-Identifier: Apache-2.0
"""Takes a provider's key out of what that provider says when it refuses: some repeat the request that they did not like, and callers may read their words."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, TypeAlias
from urllib.parse import quote

from trunkline_server.core.secret import Secret

Hidden: TypeAlias = re.Pattern[bytes] | None
"""What finds a provider's key; None where there is none to hide."""

_SHOWN: Final = b"***"
_SHORTEST: Final = 8
"""A shorter key protects nothing, and may be a word of any message."""


def pattern_of(secret: Secret | None) -> Hidden:
    """What finds a key, as it is and as it stands in a query; None where there is none to hide."""
    text = "" if secret is None else secret.reveal()
    if len(text) < _SHORTEST:
        return None
    forms = sorted({text, quote(text, safe="")}, key=len, reverse=True)
    return re.compile(b"|".join(re.escape(form.encode()) for form in forms))


async def hide(blocks: AsyncIterator[bytes], pattern: re.Pattern[bytes]) -> AsyncGenerator[bytes, None]:
    """The blocks of a body without what the pattern finds, wherever the blocks cut it."""
    kept = len(pattern.pattern)  # no form of the key is longer
    held = b""
    async for block in blocks:
        held = pattern.sub(_SHOWN, held + block)
        if len(held) > kept:
            yield held[:-kept]
            held = held[-kept:]
    if held:
        yield held
