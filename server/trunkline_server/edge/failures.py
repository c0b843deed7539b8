# SPDX-License-Identifier: Apache-2.0
"""What goes wrong before or beside the engine, as the one exception; the same words on both wires."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError, reason_name
from trunkline_server.jsonshape import Fault

_LOG: Final = logging.getLogger("trunkline.edge")


def error_of_faults(faults: Sequence[Fault]) -> GatewayError:
    """The failure of a request that is not of the contract's form: all faults (at least one), the message naming the first."""
    found = [FieldFault(field=fault.path, description=fault.message) for fault in faults]
    more = f" ({len(found) - 1} more in the details)" if len(found) > 1 else ""
    return GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, f"{faults[0]}{more}.", faults=found)


def error_of_exception(error: Exception, request_id: str) -> GatewayError:
    """The failure itself, or for anything unexpected a masked one; what callers are not told goes to the log under the request id, and nowhere else."""
    if isinstance(error, GatewayError):
        tell_log(error, request_id)
        return error
    _LOG.error("request %s failed unexpectedly", request_id, exc_info=error)
    return GatewayError(ErrorReason.ERROR_REASON_SERVER, "unexpected")


def tell_log(error: GatewayError, request_id: str) -> None:
    """Logs a failure whose message callers do not see."""
    if error.shape.masked:
        _LOG.error("request %s failed: %s: %s", request_id, reason_name(error.reason), error.message, exc_info=error)
