# SPDX-License-Identifier: Apache-2.0
"""Whom the key is sent to over TLS: the host that the certificate is for, and nobody else."""

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest

from support.toolchains import require_program
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import UpstreamRequest
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.http import HttpUpstream

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name and nothing else, signed by itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    to = ["-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [require_program("openssl"), "req", "-x509", "-days", "2", *curve, *to], check=True, capture_output=True
    )
    return certificate, key


@asynccontextmanager
async def provider(certificate: Path, key: Path) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A provider with a certificate: its port, and the heads of the requests that reached it."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


@pytest.mark.parametrize(
    ("name", "trusted", "reached"),
    [
        pytest.param("IP:127.0.0.1", True, 1, id="right"),
        pytest.param("DNS:other.example", True, 0, id="another host"),
        pytest.param("IP:127.0.0.1", False, 0, id="unknown issuer"),
    ],
)
async def test_the_key_goes_to_the_host_of_the_certificate(
    name: str, trusted: bool, reached: int, tmp_path: Path
) -> None:
    """A certificate for another host, or of an issuer that is not trusted, ends the call before anything of it is sent."""
    certificate, key = make_certificate(tmp_path, name)
    trust = ssl.create_default_context(cafile=certificate) if trusted else None
    async with provider(certificate, key) as (port, heads):
        upstream = HttpUpstream(base_url=f"https://127.0.0.1:{port}", secret=Secret("the-key"), ssl=trust)
        request = UpstreamRequest(path="/chat", body=b"", deadline_s=time.monotonic() + 10)
        refused = pytest.raises(GatewayError, match="cannot be reached")
        with nullcontext() if reached else refused:
            async with upstream.send(request) as answer:
                assert answer.status == 200
        await upstream.close()
    assert len(heads) == reached
    assert all(b"authorization: Bearer the-key" in head for head in heads)
