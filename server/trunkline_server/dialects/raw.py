# SPDX-License-Identifier: Apache-2.0
"""Raw JSON inside of an encoded message: schemas, and tools and details of types that the contract does not know.

The codec leaves them as fragments of text, which cost nothing where they only pass through. What looks into one opens it.
"""

from __future__ import annotations

from typing import Any

import orjson


def opened(value: Any) -> Any:
    """The value that raw JSON text stands for; any other value as it is."""
    return orjson.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else value
