# SPDX-License-Identifier: Apache-2.0
"""Keys, ids, limits of time, sessions: what both edges do before the engine hears of a call."""

from collections.abc import Sequence

import pytest

from support.builders import make_request
from support.grpc_edge import make_admission
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.model_service_pb2 import ListModelsRequest
from trunkline_server.core.call import Call, Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.admission import ANONYMOUS, CallTerms, RandomPool, take_session

TESTER = Principal(name="tester")
NOW_S = 1000.0


def admit(request: ChatCompletionRequest | None = None, **terms: object) -> Call:
    """The call that the request makes on terms that differ from gRPC's plainest as given."""
    call_terms = CallTerms(**{"wire": "grpc", "streamed": False, **terms})  # type: ignore[arg-type] # the test's own terms
    return make_admission(default_timeout_s=60.0, max_timeout_s=600.0).admit(
        request or make_request(), TESTER, call_terms, request_id="req-1", generation_id="gen-1"
    )


def test_without_keys_everybody_is_anonymous() -> None:
    """A gateway without keys asks for none."""
    admission = make_admission()
    assert admission.open_to_all
    assert admission.authenticate([]) == ANONYMOUS
    assert admission.authenticate(["Bearer whatever"]) == ANONYMOUS


@pytest.mark.parametrize("header", ["Bearer sk-b", "bearer sk-b", "BEARER  sk-b ", " Bearer sk-b"])
def test_a_known_key(header: str) -> None:
    """A key's caller goes by the key's name; the scheme's case and spaces do not matter."""
    admission = make_admission("sk-a", "sk-b")
    assert not admission.open_to_all
    assert admission.authenticate([header]) == Principal(name="key-1")


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        ([], "none came"),
        (["Bearer sk-a", "Bearer sk-a"], "2 came"),
        ([""], "must read"),
        (["Bearer"], "must read"),
        (["Bearer "], "must read"),
        (["sk-a"], "must read"),
        (["Basic sk-a"], "must read"),
        (["Bearer " + "x" * 513], "must read"),
        (["Bearer sk-A"], "not known"),
        (["Bearer sk-a\n"], "not known"),
        (["Bearer\nsk-a"], "must read"),
        (["Bearer sk-a sk-a"], "not known"),
        (["Bearer schl\udc80ssel"], "not known"),
    ],
)
def test_a_refused_key(headers: Sequence[str], complaint: str) -> None:
    """Anything but one known key is AUTHENTICATION, and the message holds no key."""
    with pytest.raises(GatewayError, match=complaint) as caught:
        make_admission("sk-a").authenticate(headers)
    assert caught.value.reason == ErrorReason.ERROR_REASON_AUTHENTICATION
    assert "sk-" not in caught.value.message


@pytest.mark.parametrize("given", ["mine", "x" * 128, "a b/c:d"])
def test_a_fit_request_id_is_kept(given: str) -> None:
    """A caller's own request id is used as it is."""
    assert make_admission().make_request_id({"x-request-id": given}) == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a\nb", "é", "\x7f"])
def test_an_unfit_request_id_is_replaced(given: str) -> None:
    """What is empty, too long or not printable ASCII is never echoed."""
    assert make_admission().make_request_id({"x-request-id": given}) == "req-000000000000000000000001"


def test_ids_differ() -> None:
    """Each call gets ids of its own; generation ids begin with the time."""
    admission = make_admission()
    first, second = admission.make_generation_id(), admission.make_generation_id()
    assert first != second
    assert first[:12] == second[:12]
    assert admission.make_request_id({}) != admission.make_request_id({})


def test_the_call() -> None:
    """A call holds what the wire and the key said."""
    request = make_request()
    call = admit(request, streamed=True, wire="http")
    assert call.request is request
    assert (call.principal, call.streamed, call.wire) == (TESTER, True, "http")
    assert (call.request_id, call.generation_id, call.created_s) == ("req-1", "gen-1", 1000)
    assert (call.session_id, call.wants_router_metadata) == (None, False)


@pytest.mark.parametrize(
    ("timeout_s", "header", "granted_s"),
    [
        (None, None, 60.0),
        (None, "5", 5.0),
        (None, "0.25", 0.25),
        (None, "1e9", 600.0),
        (10.0, None, 9.9),
        (0.5, None, 0.45),
        (10.0, "5", 9.9),
        (1e9, None, 600.0),
        (0.0, None, 0.0),
    ],
    ids=[
        "none",
        "header",
        "fraction",
        "header beyond",
        "wire",
        "short wire",
        "wire wins",
        "wire beyond",
        "over already",
    ],
)
def test_the_deadline(timeout_s: float | None, header: str | None, granted_s: float) -> None:
    """The wire's limit, less a margin, wins over the header's, that over the default; none exceeds the gateway's own."""
    headers = {} if header is None else {"x-request-timeout": header}
    assert admit(timeout_s=timeout_s, headers=headers).deadline_s == pytest.approx(NOW_S + granted_s)


@pytest.mark.parametrize("header", ["", "soon", "-1", "0", "nan", "inf", "-inf", "1_0s"])
def test_a_timeout_of_nonsense(header: str) -> None:
    """A header that is no number of seconds above 0 is a fault of the request."""
    with pytest.raises(GatewayError) as caught:
        admit(headers={"x-request-timeout": header})
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert caught.value.faults[0].field == "x-request-timeout"


@pytest.mark.parametrize(
    ("field", "header", "session_id"),
    [
        (None, None, None),
        ("body", None, "body"),
        (None, "header", "header"),
        ("body", "header", "body"),
        ("", "header", ""),
    ],
)
def test_the_session(field: str | None, header: str | None, session_id: str | None) -> None:
    """The body's session wins over the header's."""
    request = make_request() if field is None else make_request(session_id=field)
    headers = {} if header is None else {"x-session-id": header}
    assert admit(request, headers=headers).session_id == session_id


def test_a_session_that_is_too_long() -> None:
    """The header's session has the limit of the body's."""
    assert admit(headers={"x-session-id": "x" * 256}).session_id == "x" * 256
    with pytest.raises(GatewayError, match="256") as caught:
        admit(headers={"x-session-id": "x" * 257})
    with pytest.raises(GatewayError, match="all printable"):
        admit(headers={"x-session-id": "a\nb"})
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


@pytest.mark.parametrize(
    ("field", "header", "session_id"), [(None, None, None), (None, "header", "header"), ("body", "header", "body")]
)
def test_an_rpc_sees_the_session_in_the_request(field: str | None, header: str | None, session_id: str | None) -> None:
    """What sees the request alone finds the header's session in it; the body's still wins."""
    request = make_request() if field is None else make_request(session_id=field)
    take_session(request, {} if header is None else {"x-session-id": header})
    assert (request.session_id if request.HasField("session_id") else None) == session_id


def test_other_requests_have_no_session() -> None:
    """A request that is no chat is left alone, and a header that is too long is a fault all the same for one that is."""
    request = ListModelsRequest(q="sim")
    take_session(request, {"x-session-id": "mine"})
    assert request == ListModelsRequest(q="sim")
    with pytest.raises(GatewayError, match="256"):
        take_session(make_request(), {"x-session-id": "x" * 257})


@pytest.mark.parametrize(("header", "wanted"), [("enabled", True), ("Enabled", True), ("disabled", False), ("", False)])
def test_router_metadata(header: str, wanted: bool) -> None:
    """The route taken is told to those who ask."""
    assert admit(headers={"x-openrouter-metadata": header}).wants_router_metadata is wanted


def test_the_record_will_show_who_called() -> None:
    """Of the headers those that say who calls stay with the call; keys and all others do not."""
    headers = {"user-agent": "curl", "referer": "https://a.test", "authorization": "Bearer x", "cookie": "c"}
    assert admit(headers=headers).headers == {"user-agent": "curl", "referer": "https://a.test"}


def test_contradictions_are_refused() -> None:
    """A request whose parts contradict one another makes no call."""
    request = make_request(reasoning_effort="low")
    request.reasoning.effort = "high"
    with pytest.raises(GatewayError, match="reasoning_effort"):
        admit(request)


def test_a_pool_gives_each_byte_once() -> None:
    """Bytes come from the source in order, many at a time; what is too little for a draw is left unused."""
    asked = []

    def source(size: int) -> bytes:
        asked.append(size)
        return bytes(place % 251 for place in range(size))

    pool = RandomPool(source)
    assert [pool.draw(3), pool.draw(2)] == [b"\x00\x01\x02", b"\x03\x04"]
    assert len(asked) == 1
    assert all(len(pool.draw(100)) == 100 for _ in range(20))
    assert len(asked) > 1


def test_headers_for_the_provider() -> None:
    """Both words for Anthropic's switch go on under its own; what no header can hold is refused."""
    assert admit(headers={"x-anthropic-beta": "one"}).passed_headers == {"anthropic-beta": "one"}
    both = admit(headers={"anthropic-beta": "one", "x-anthropic-beta": "two"})
    assert both.passed_headers == {"anthropic-beta": "one,two"}
    assert admit(headers={}).passed_headers == {}
    for value in ("x" * 1025, "a\nb", "ä"):
        with pytest.raises(GatewayError, match="anthropic-beta"):
            admit(headers={"x-anthropic-beta": value})
