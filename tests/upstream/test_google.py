# SPDX-License-Identifier: Apache-2.0
"""Access tokens of Google's accounts."""

import asyncio
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from support.fault_upstream import Answer, Close, FaultUpstream, json_answer
from support.google_account import write_account
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.upstream.google import AccountRenewal, GoogleSigner

URL = "https://europe-west1-aiplatform.googleapis.com/v1/x"


class Office:
    """Gives out tokens that last for an hour of a clock that the test turns, and counts them."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.given = 0
        self.open = threading.Event()
        self.open.set()
        self.fails = False

    def renew(self) -> tuple[str, float]:
        """The next token."""
        self.open.wait(5)
        self.given += 1
        if self.fails:
            raise OSError("the office is closed")
        return f"token-{self.given}", self.now_s + 3600

    def clock(self) -> float:
        """The moment."""
        return self.now_s


async def token_of(signer: GoogleSigner) -> str:
    """The token that a request shows."""
    return (await signer.sign(URL, {}, b""))["authorization"].removeprefix("Bearer ")


async def settle() -> None:
    """Lets a renewal under way come to its end."""
    for _ in range(50):
        await asyncio.sleep(0.005)


async def test_a_token_is_kept() -> None:
    """One token serves all requests while it is valid."""
    office = Office()
    signer = GoogleSigner(office.renew, office.clock)
    assert [await token_of(signer) for _ in range(3)] == ["token-1"] * 3


async def test_many_wait_for_one_renewal() -> None:
    """However many requests find no token, one is fetched; one that leaves takes nobody's along."""
    office = Office()
    office.open.clear()
    signer = GoogleSigner(office.renew, office.clock)
    waiting = [asyncio.create_task(token_of(signer)) for _ in range(20)]
    await asyncio.sleep(0.02)
    waiting[0].cancel()
    office.open.set()
    assert [await task for task in waiting[1:]] == ["token-1"] * 19
    assert office.given == 1


async def test_a_token_is_renewed_ahead() -> None:
    """Shortly before its end the next one is fetched, and nobody waits for it."""
    office = Office()
    signer = GoogleSigner(office.renew, office.clock)
    await token_of(signer)
    office.now_s += 3400
    office.open.clear()
    assert await token_of(signer) == "token-1"
    office.open.set()
    await settle()
    assert (await token_of(signer), office.given) == ("token-2", 2)


async def test_a_renewal_that_fails() -> None:
    """The token that is still valid goes on to serve, and the office is asked again after a while; without a token the request fails."""
    office = Office()
    signer = GoogleSigner(office.renew, office.clock)
    await token_of(signer)
    office.fails = True
    office.now_s += 3400
    assert [await token_of(signer) for _ in range(2)] == ["token-1"] * 2
    await settle()
    assert (await token_of(signer), office.given) == ("token-1", 2)
    office.now_s += 3600
    with pytest.raises(OSError, match="closed"):
        await token_of(signer)


async def test_a_service_account(tmp_path: Path) -> None:
    """A signed statement of the account is exchanged for a token, at the address that the account's file names."""
    answer = json_answer({"access_token": "ya29.canary", "expires_in": 3600, "token_type": "Bearer"})
    async with FaultUpstream(answer) as server:
        path = write_account(tmp_path, f"http://127.0.0.1:{server.port}/token")
        assert await token_of(GoogleSigner(AccountRenewal(path))) == "ya29.canary"
        form = parse_qs(server.requests[0].body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert form["assertion"][0].count(".") == 2


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """The statement goes nowhere but to the office."""
    async with FaultUpstream(json_answer({"access_token": "stolen"})) as other:
        moved = json_answer({}, status=307, headers={"location": f"http://127.0.0.1:{other.port}/token"})
        async with FaultUpstream(moved) as server:
            path = write_account(tmp_path, f"http://127.0.0.1:{server.port}/token")
            with pytest.raises(GatewayError) as caught:
                await token_of(GoogleSigner(AccountRenewal(path)))
        assert (reason_name(caught.value.reason), other.requests) == ("PROVIDER_AUTHENTICATION", [])


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
        b"HTTP/1.1 500 No\r\ncontent-length: 99\r\n\r\n{",
    ],
)
async def test_an_office_that_speaks_no_http(tmp_path: Path, said: bytes) -> None:
    """An answer that is none, or is cut, is a failure to get a token like any other."""
    async with FaultUpstream(Answer(raw=True, steps=[said, Close()])) as server:
        with pytest.raises(GatewayError) as caught:
            await token_of(
                GoogleSigner(AccountRenewal(write_account(tmp_path, f"http://127.0.0.1:{server.port}/token")))
            )
    assert reason_name(caught.value.reason) == "PROVIDER_AUTHENTICATION"


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"type": "service_account"}'])
async def test_files_that_are_no_account(tmp_path: Path, content: str | None) -> None:
    """What the file lacks is the gateway's account's fault, and its path is told to nobody but the log."""
    path = tmp_path / "canary.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(GatewayError) as caught:
        await token_of(GoogleSigner(AccountRenewal(str(path))))
    assert (reason_name(caught.value.reason), "canary" in caught.value.message) == ("PROVIDER_AUTHENTICATION", False)


async def test_without_google_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure says what to install."""
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)
    with pytest.raises(GatewayError, match=r"install `trunkline\[server,vertex\]`") as caught:
        await token_of(GoogleSigner(AccountRenewal(None)))
    assert reason_name(caught.value.reason) == "FEATURE_UNAVAILABLE"
