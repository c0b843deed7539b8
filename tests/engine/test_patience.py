# SPDX-License-Identifier: Apache-2.0
"""How long an attempt may be silent: the provider's own time-outs, its part of the call's time, and what is known of its endpoint."""

from typing import Any

import pytest

from support.builders import make_endpoint, make_provider
from trunkline_server.catalog.entry import Timeouts
from trunkline_server.core.health import EndpointHealth, Percentiles
from trunkline_server.engine.patience import FAR_BEYOND, LONG_SILENCE_S, PROBE_S, WHOLE_PROBE_S, Patience, allow
from trunkline_server.routing.retry import LEAST_SHARE_S

FOREVER_S = float("inf")
UNKNOWN = EndpointHealth()


def usual(seconds: float) -> Percentiles:
    """All calls took as long."""
    return Percentiles(p50=seconds, p75=seconds, p90=seconds, p99=seconds)


def patience_of(health: EndpointHealth = UNKNOWN, **given: Any) -> Patience:
    """That of a stream with ten minutes left, behind which others could follow, with the provider's usual time-outs."""
    timeouts = given.pop("timeouts", Timeouts())
    case = {"streamed": True, "left_s": 600.0, "others_could_follow": True, **given}
    return allow(make_endpoint(make_provider("a", timeouts=timeouts)), health, **case)


@pytest.mark.parametrize(
    ("left_s", "streamed", "share_s"),
    [
        pytest.param(60.0, True, 30.0, id="a stream has half"),
        pytest.param(60.0, False, 45.0, id="a whole answer three quarters"),
        pytest.param(5.0, True, 2.5, id="seconds"),
        pytest.param(6.0, False, 4.0, id="the others keep the least share"),
        pytest.param(2 * LEAST_SHARE_S, True, LEAST_SHARE_S, id="the least share"),
        pytest.param(3.9, True, FOREVER_S, id="too little for two"),
        pytest.param(3.9, False, FOREVER_S, id="too little for two whole answers"),
        pytest.param(0.1, True, FOREVER_S, id="almost nothing"),
    ],
)
def test_the_part_of_the_calls_time(left_s: float, streamed: bool, share_s: float) -> None:
    """No part is shorter than the least share; where the time is not enough for two, one attempt has it all."""
    assert patience_of(left_s=left_s, streamed=streamed).share_s == share_s
    assert patience_of(left_s=left_s, streamed=streamed, others_could_follow=False).share_s == FOREVER_S


def test_a_slow_endpoint_has_the_time_it_needs() -> None:
    """A whole answer that usually takes longer than its part is waited for."""
    assert patience_of(EndpointHealth(latency_s=usual(40.0)), left_s=60.0, streamed=False).share_s == 40.0 * FAR_BEYOND


@pytest.mark.parametrize(
    ("given", "first_byte_s", "first_content_s"),
    [
        pytest.param({}, 60.0, 300.0, id="a stream's head comes at once, whatever the model thinks then"),
        pytest.param({"streamed": False}, 300.0, 450.0, id="a whole answer's comes with it"),
        pytest.param({"left_s": 20.0}, 10.0, 10.0, id="no longer than the part"),
        pytest.param({"timeouts": Timeouts(first_byte_s=5.0)}, 5.0, 300.0, id="less for all"),
        pytest.param({"timeouts": Timeouts(stream_first_byte_s=200.0)}, 200.0, 300.0, id="more for streams"),
        pytest.param({"others_could_follow": False}, 60.0, 300.0, id="the last one"),
    ],
)
def test_the_time_outs(given: dict[str, Any], first_byte_s: float, first_content_s: float) -> None:
    """The least of the provider's own and of the call's part."""
    patience = patience_of(**given)
    assert (patience.first_byte_s, patience.first_content_s) == (first_byte_s, first_content_s)


@pytest.mark.parametrize(
    ("health", "given", "first_byte_s"),
    [
        pytest.param({}, {}, PROBE_S, id="a stream"),
        pytest.param({"first_token_s": usual(20.0)}, {}, 40.0, id="one that is slow to begin"),
        pytest.param({"first_token_s": usual(1.0)}, {}, 4.0, id="one that is quick to begin"),
        pytest.param({"first_token_s": usual(0.1)}, {}, LEAST_SHARE_S, id="one that is very quick to begin"),
        pytest.param({"latency_s": usual(1.0)}, {"streamed": False}, 4.0, id="one that is quick to end"),
        pytest.param({"ejections": 1}, {"streamed": False}, WHOLE_PROBE_S, id="put out once"),
        pytest.param({"ejections": 3}, {"streamed": False}, 3 * WHOLE_PROBE_S, id="put out again"),
        pytest.param({"ejections": 3}, {}, 3 * PROBE_S, id="a stream, put out again"),
        pytest.param({"ejections": 3, "first_token_s": usual(1.0)}, {}, 12.0, id="a quick one, put out again"),
        pytest.param({"ejections": 99, "first_token_s": usual(0.1)}, {}, 20.0, id="ten times at most"),
        pytest.param({"latency_s": usual(20.0)}, {}, PROBE_S, id="one that is slow to end"),
        pytest.param({}, {"streamed": False}, WHOLE_PROBE_S, id="a whole answer"),
        pytest.param({"latency_s": usual(50.0)}, {"streamed": False}, 100.0, id="a slow one"),
        pytest.param({}, {"others_could_follow": False}, 60.0, id="nobody else is there"),
    ],
)
def test_a_probe_is_short(health: dict[str, Any], given: dict[str, Any], first_byte_s: float) -> None:
    """An endpoint that is out gets little time to begin its answer, more where it usually takes more; to think it has as much as others."""
    patience = patience_of(EndpointHealth(ejected_until_s=1.0, **health), **given)
    assert (patience.first_byte_s, patience.first_content_s >= 300.0) == (first_byte_s, True)


@pytest.mark.parametrize(
    ("health", "silent_s", "is_telling"),
    [
        pytest.param({}, 100.0, False, id="nothing is known of it"),
        pytest.param({"first_token_s": usual(1.0)}, 4.0, True, id="far beyond"),
        pytest.param({"first_token_s": usual(1.0)}, 3.9, False, id="not as far"),
        pytest.param({"first_token_s": usual(0.1)}, LEAST_SHARE_S, True, id="the least share"),
        pytest.param({"first_token_s": usual(0.1)}, 1.9, False, id="less than that"),
        pytest.param({"latency_s": usual(0.1)}, 100.0, False, id="a stream's end says nothing of its beginning"),
        pytest.param({"ejected_until_s": 1.0}, LONG_SILENCE_S, True, id="it was out and is not back"),
        pytest.param({"ejected_until_s": 1.0}, 9.9, False, id="it was out, and had little time"),
    ],
)
def test_what_a_silence_tells(health: dict[str, Any], silent_s: float, is_telling: bool) -> None:
    """One that the caller's patience ended speaks of an endpoint that is usually far quicker, or that had not come back."""
    assert patience_of(EndpointHealth(**health), left_s=60.0).is_telling(silent_s) == is_telling
