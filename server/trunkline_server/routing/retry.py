# SPDX-License-Identifier: Apache-2.0
"""What follows a failed attempt. Decided by the failure's reason alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trunkline.v1.error_pb2 import Recourse
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import GatewayError

_ANOTHER_ENDPOINT_HELPS: Final = frozenset({Recourse.RECOURSE_RETRY, Recourse.RECOURSE_OTHER_ENDPOINT})


def next_endpoint(error: GatewayError, failed: Endpoint, rest: Sequence[Endpoint]) -> int | None:
    """The place in `rest` of the endpoint to try after `failed` failed with `error`, None where nothing there can help."""
    recourse = error.shape.recourse
    if recourse in _ANOTHER_ENDPOINT_HELPS:
        return 0 if rest else None
    if recourse == Recourse.RECOURSE_OTHER_MODEL:
        return next((place for place, endpoint in enumerate(rest) if endpoint.model != failed.model), None)
    return None
