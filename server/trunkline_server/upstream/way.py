# SPDX-License-Identifier: Apache-2.0
"""How one provider is reached over HTTP, as a value: while it stays the same, so do the connections."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Final

from trunkline_server.core.secret import Secret
from trunkline_server.upstream.auth import Signer
from trunkline_server.upstream.aws import AwsKeys, AwsSigner
from trunkline_server.upstream.google import AccountRenewal, GoogleSigner
from trunkline_server.upstream.http import HttpUpstream
from trunkline_server.upstream.proxy import Proxy

_AWS_HOST: Final = re.compile(r"https?://[a-z0-9-]+\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)(?:[:/]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpWay:
    """Where a provider is, how the gateway shows itself there, and what lies between.

    `auth` and `auth_header` are as in the provider's row. `secret` is its key; `aws_keys` and `region` are for AWS (None: found by botocore, told by the host),
    `credentials_file` for Google (None: found by google-auth). `ca_file` holds the certificates that are trusted in place of the system's.
    """

    base_url: str
    auth: str = "bearer"
    auth_header: str | None = None
    secret: Secret | None = None
    aws_keys: AwsKeys | None = None
    region: str | None = None
    credentials_file: str | None = None
    ca_file: str | None = None
    proxy: Proxy | None = None


def make_upstream(way: HttpWay) -> HttpUpstream:
    """The upstream of a way. Raises ValueError for what cannot be: a key that no header can hold, a file without certificates, AWS without a region."""
    signer = _make_signer(way)
    return HttpUpstream(
        base_url=way.base_url,
        secret=way.secret,
        auth="bearer" if way.auth in _SIGNED else way.auth,
        auth_header=way.auth_header,
        signer=signer,
        ssl=_trust(way.ca_file),
        proxy=way.proxy,
    )


def _make_signer(way: HttpWay) -> Signer | None:
    """Who signs; None where a key is shown. A key of Bedrock's own is shown as a bearer's."""
    if way.auth == "google":
        return GoogleSigner(AccountRenewal(way.credentials_file))
    if way.auth != "aws" or way.secret is not None:
        return None
    told = _AWS_HOST.match(way.base_url)
    region = way.region or (told[1] if told is not None else None)
    if region is None:
        raise ValueError(f"{way.base_url!r} tells no region of AWS: set the provider's `values.region`")
    return AwsSigner(region, way.aws_keys)


def _trust(ca_file: str | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"{ca_file!r} cannot be read as certificates in PEM: {error}") from error


_SIGNED: Final = frozenset({"google", "aws"})
