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


def test_rests_begin_new_slices() -> None:
    """Between two rests only so much can be done; a rest tells how much it was."""
    steps = Steps(10, most_in_one=3)
    steps.spend(3)
    assert steps.rest() == 3
    steps.spend(3)
    with pytest.raises(RefusedError, match="more than 3 steps in one go"):
        steps.spend()
