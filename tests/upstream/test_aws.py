# SPDX-License-Identifier: Apache-2.0
"""Requests signed for AWS."""

import hashlib
import hmac
import re
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from botocore.exceptions import ClientError

from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.aws import AwsKeys, AwsSigner

URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/eu.anthropic.claude-opus-4-5-20251101-v1:0/converse"
BODY = b'{"messages":[]}'
HEADERS = {"content-type": "application/json", "accept": "application/json"}
KEYS = AwsKeys(access_key_id=Secret("AKIDEXAMPLE"), secret_access_key=Secret("canary-secret"))
LENT = AwsKeys(
    access_key_id=Secret("AKIDEXAMPLE"), secret_access_key=Secret("canary-secret"), session_token=Secret("canary-token")
)


def expected_signature(moment: str, signed: dict[str, str]) -> str:
    """The signature by the rules of AWS's page "Create a signed AWS API request", written down without botocore."""
    path = quote(urlsplit(URL).path, safe="/-_.~")
    lines = "".join(f"{name}:{value}\n" for name, value in sorted(signed.items()))
    names = ";".join(sorted(signed))
    canonical = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(BODY).hexdigest()}"
    scope = f"{moment[:8]}/eu-west-1/bedrock/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4canary-secret"
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("keys", "token"), [(KEYS, {}), (LENT, {"x-amz-security-token": "canary-token"})])
async def test_the_signature(keys: AwsKeys, token: dict[str, str]) -> None:
    """Host, content type, moment, a lent key's token and the body are signed; the secret itself is nowhere."""
    shown = await AwsSigner("eu-west-1", keys, environment={}).sign(URL, HEADERS, BODY)
    moment = shown["x-amz-date"]
    signed = {
        "content-type": "application/json",
        "host": "bedrock-runtime.eu-west-1.amazonaws.com",
        "x-amz-date": moment,
        **token,
    }
    told = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/(\d{8})/eu-west-1/bedrock/aws4_request, SignedHeaders=(\S+), Signature=(\S+)",
        shown["authorization"],
    )
    assert told is not None
    assert told.groups() == (moment[:8], ";".join(sorted(signed)), expected_signature(moment, signed))
    assert {name: shown[name] for name in shown if name not in ("authorization", "x-amz-date")} == token


async def test_a_bearer_key_of_bedrocks() -> None:
    """Where the usual variable has one, nothing is signed; keys of the settings win."""
    environment = {"AWS_BEARER_TOKEN_BEDROCK": "abk-1"}
    assert await AwsSigner("eu-west-1", environment=environment).sign(URL, HEADERS, BODY) == {
        "authorization": "Bearer abk-1"
    }
    shown = await AwsSigner("eu-west-1", KEYS, environment=environment).sign(URL, HEADERS, BODY)
    assert shown["authorization"].startswith("AWS4-HMAC-SHA256")


async def test_the_usual_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys in the settings, botocore's own chain finds those of the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    shown = await AwsSigner("eu-west-1", environment={}).sign(URL, HEADERS, BODY)
    assert "Credential=AKIDOTHER/" in shown["authorization"]


async def test_no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's keys are a failure of the gateway's account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(GatewayError) as caught:
        await AwsSigner("eu-west-1", environment={}).sign(URL, HEADERS, BODY)
    assert reason_name(caught.value.reason) == "PROVIDER_AUTHENTICATION"


async def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure says what to install."""
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    with pytest.raises(GatewayError, match=r"install `trunkline\[server,bedrock\]`") as caught:
        await AwsSigner("eu-west-1", KEYS, environment={}).sign(URL, HEADERS, BODY)
    assert reason_name(caught.value.reason) == "FEATURE_UNAVAILABLE"


async def test_keys_are_not_looked_for_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for keys may take seconds of a thread: where there were none, calls of the next moments hear so at once."""
    looked: list[None] = []
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _session: looked.append(None))
    signer = AwsSigner("eu-west-1", environment={})
    for _ in range(3):
        with pytest.raises(GatewayError) as caught:
            await signer.sign(URL, HEADERS, BODY)
        assert reason_name(caught.value.reason) == "PROVIDER_AUTHENTICATION"
    assert len(looked) == 1


async def test_a_role_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS's own office says of a role stays here: it names accounts."""

    def refuse(_session: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "canary"}}, "AssumeRole")

    monkeypatch.setattr("botocore.session.Session.get_credentials", refuse)
    with pytest.raises(GatewayError) as caught:
        await AwsSigner("eu-west-1", environment={}).sign(URL, HEADERS, BODY)
    assert (reason_name(caught.value.reason), "canary" in caught.value.message) == ("PROVIDER_AUTHENTICATION", False)


async def test_a_bearer_key_with_a_line_end() -> None:
    """A line end that came along with the variable is no part of the key; a key that no header can hold is none."""
    told = await AwsSigner("eu-west-1", environment={"AWS_BEARER_TOKEN_BEDROCK": "abk-1\n"}).sign(URL, HEADERS, BODY)
    assert told == {"authorization": "Bearer abk-1"}
    with pytest.raises(GatewayError) as caught:
        await AwsSigner("eu-west-1", environment={"AWS_BEARER_TOKEN_BEDROCK": "canary\nx"}).sign(URL, HEADERS, BODY)
    assert (reason_name(caught.value.reason), "canary" in caught.value.message) == ("PROVIDER_AUTHENTICATION", False)
