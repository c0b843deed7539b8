# SPDX-License-Identifier: Apache-2.0
"""What is known of an endpoint."""

import pytest

from trunkline_server.core.health import EndpointHealth, EndpointStatus


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (EndpointHealth(), EndpointStatus.WELL),
        (EndpointHealth(unstable=True), EndpointStatus.UNSTABLE),
        (EndpointHealth(cooling_until_s=1.0, unstable=True), EndpointStatus.COOLING),
        (EndpointHealth(ejected_until_s=1.0, cooling_until_s=1.0, unstable=True), EndpointStatus.OUT),
        (EndpointHealth(ejected_until_s=0.0, probe_due=True), EndpointStatus.OUT),
    ],
)
def test_status(health: EndpointHealth, status: EndpointStatus) -> None:
    """The worst of what is held against it."""
    assert health.status is status


def test_the_numbers_of_the_contract() -> None:
    """They get lower as it gets worse, and are among those that OpenRouter's clients know."""
    assert [int(status) for status in EndpointStatus] == [0, -1, -2, -3]
