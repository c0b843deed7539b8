# SPDX-License-Identifier: Apache-2.0
"""What follows a failed attempt, by the failure's recourse."""

import pytest

from support.builders import make_endpoint
from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import ERROR_SHAPES, GatewayError, reason_name
from trunkline_server.routing.retry import next_endpoint

FAILED = make_endpoint("a", "acme/one")
SAME_MODEL, OTHER_MODEL = make_endpoint("b", "acme/one"), make_endpoint("a", "acme/two")
HELPED_BY_ANOTHER_ENDPOINT = {Recourse.RECOURSE_RETRY, Recourse.RECOURSE_OTHER_ENDPOINT}


def reasons_with(*recourses: "Recourse.ValueType") -> "list[ErrorReason.ValueType]":
    """All reasons with one of these recourses."""
    return [ErrorReason.ValueType(number) for number, shape in ERROR_SHAPES.items() if shape.recourse in recourses]


def place_after(reason: "ErrorReason.ValueType", *rest: Endpoint) -> int | None:
    """Which of the rest follows after a failure with that reason."""
    return next_endpoint(GatewayError(reason, "Failed."), FAILED, rest)


@pytest.mark.parametrize("reason", reasons_with(*HELPED_BY_ANOTHER_ENDPOINT), ids=reason_name)
def test_another_endpoint_may_help(reason: "ErrorReason.ValueType") -> None:
    """After a provider's failure the next endpoint is tried, whatever its model."""
    assert place_after(reason, SAME_MODEL, OTHER_MODEL) == 0
    assert place_after(reason, OTHER_MODEL) == 0
    assert place_after(reason) is None


@pytest.mark.parametrize("reason", reasons_with(Recourse.RECOURSE_OTHER_MODEL), ids=reason_name)
def test_only_another_model_may_help(reason: "ErrorReason.ValueType") -> None:
    """After a failure of the model its other endpoints are passed over."""
    assert place_after(reason, SAME_MODEL, OTHER_MODEL) == 1
    assert place_after(reason, SAME_MODEL) is None
    assert place_after(reason) is None


@pytest.mark.parametrize("reason", reasons_with(Recourse.RECOURSE_NONE), ids=reason_name)
def test_nothing_helps(reason: "ErrorReason.ValueType") -> None:
    """What is wrong with the request or the gateway is wrong everywhere."""
    assert place_after(reason, SAME_MODEL, OTHER_MODEL) is None
