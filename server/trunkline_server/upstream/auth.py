# SPDX-License-Identifier: Apache-2.0
"""The gateway's keys at providers."""

from __future__ import annotations

from trunkline_server.core.secret import Secret


def bearer_headers(secret: Secret | None) -> dict[str, str]:
    """The headers that show a key; none where there is no key. Raises ValueError for a key that no header can hold."""
    if secret is None:
        return {}
    key = secret.reveal()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("a provider's key must be printable ASCII without spaces; check where it comes from")
    return {"authorization": f"Bearer {key}"}
