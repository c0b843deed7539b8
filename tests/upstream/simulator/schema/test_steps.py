# SPDX-License-Identifier: Apache-2.0
"""The bound on work."""

import pytest

from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.schema.steps import Steps


def test_steps_run_out() -> None:
    """As many steps as the limit can be paid, and no more."""
    steps = Steps(3)
    steps.spend()
    steps.spend(2)
    with pytest.raises(RefusedError, match="too much work"):
        steps.spend()
