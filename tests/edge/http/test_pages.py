# SPDX-License-Identifier: Apache-2.0
"""The pages that explain the API: what they hold, what they may fetch, who may see them."""

import re
from pathlib import Path

import pytest

from support.http_edge import running_edge
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.pages import Pages, find_viewer

PATHS = ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
async def test_pages_are_for_everybody(path: str) -> None:
    """No key is asked for, HEAD tells what GET would, and every answer has its ids."""
    async with running_edge(keys=["sk-test"]) as running:
        answer = await running.client.get(path)
        head = await running.client.head(path)
        assert (answer.status, head.status) == (200, 200)
        assert len(await answer.read()) == int(head.headers["Content-Length"]) > 0
        assert answer.headers["Content-Type"] == head.headers["Content-Type"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Generation-Id"]


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("DELETE", 405), ("OPTIONS", 204)])
async def test_pages_are_only_read(method: str, status: int) -> None:
    """Other methods are refused with those that are served."""
    async with running_edge() as running:
        answer = await running.client.request(method, "/docs")
        assert (answer.status, answer.headers["Allow"]) == (status, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    "path", ["/docs/", "/docs/../server.py", "/docs/swagger-ui-bundle.js.map", "/docs/__init__.py"]
)
async def test_nothing_else_of_the_package_is_served(path: str) -> None:
    """Two files of the viewer have a path, and no others."""
    async with running_edge() as running:
        answer = await running.raw(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 404 ")


async def test_a_foreign_host_name_sees_no_page() -> None:
    """Where the gateway answers loopback names only, its pages do as well."""
    async with running_edge() as running:
        answer = await running.client.get("/docs", headers={"Host": "evil.example"})
        assert answer.status == 403


def test_the_page_may_fetch_nothing_outside() -> None:
    """Its policy allows this origin and nothing more, no script of its own text, and it names no other address."""
    page = Pages().find("/docs")
    assert page is not None
    policy = dict(part.strip().split(" ", 1) for part in dict(page.headers)["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {name: policy[name] for name in ("script-src", "connect-src")} == {
        "script-src": "'self'",
        "connect-src": "'self'",
    }
    assert {word for value in policy.values() for word in value.split()} <= {
        "'none'",
        "'self'",
        "'unsafe-inline'",
        "data:",
    }
    assert "'unsafe-inline'" not in policy["script-src"]
    assert re.findall(rb'(?:src|href)="([^"]*)"', page.body) == [
        b"data:,",
        b"/docs/swagger-ui.css",
        b"/openapi.json",
        b"/docs/swagger-ui-bundle.js",
        b"/docs/start.js",
    ]
    assert not re.search(rb"<script>|<style|https?://| on\w+=", page.body)


def test_the_style_sheet_names_no_other_host() -> None:
    """Images of the viewer stand in its style sheet."""
    page = Pages().find("/docs/swagger-ui.css")
    assert page is not None
    assert [
        url for url in re.findall(rb"url\(([^)]{0,20})", page.body) if not url.lstrip(b"\"'").startswith(b"data:")
    ] == []


def test_without_its_package_the_page_says_what_to_install() -> None:
    """The viewer is an extra; the document needs nothing."""
    pages = Pages(locate_viewer=lambda: None)
    with pytest.raises(GatewayError, match="trunkline\\[server,docs\\]"):
        pages.find("/docs")
    assert pages.find("/openapi.json") is not None


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """What was asked for is kept."""
    (tmp_path / "swagger-ui.css").write_bytes(b"a{}")
    pages = Pages(locate_viewer=lambda: tmp_path)
    first = pages.find("/docs/swagger-ui.css")
    (tmp_path / "swagger-ui.css").unlink()
    assert pages.find("/docs/swagger-ui.css") is first


def test_the_viewer_is_found_without_importing_it() -> None:
    """Its package would bring a web framework with it; only its files are read."""
    import sys

    folder = find_viewer()
    assert folder is not None
    assert (folder / "swagger-ui-bundle.js").is_file()
    assert not {"django", "drf_spectacular_sidecar"} & sys.modules.keys()
