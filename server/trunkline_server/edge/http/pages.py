# SPDX-License-Identifier: Apache-2.0
"""The pages for people and programs that explain the API: `/openapi.json`, and `/docs` with a viewer for it.

The viewer (Swagger UI) comes from an installed package, the extra `docs`; the edge reads its files and imports none of its code. The page may fetch
nothing from anywhere else, which its Content-Security-Policy makes the browser hold to.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.exchange import JSON, Headers

DOCUMENT_FILE: Final = "openapi.json"
"""The document's file beside this module. It is made when code is generated (openapi.py)."""
DOCUMENT_PATH: Final = "/openapi.json"
VIEWER_PATH: Final = "/docs"
_VIEWER_PACKAGE: Final = "drf_spectacular_sidecar"
_VIEWER_FILES: Final = Path("static", _VIEWER_PACKAGE, "swagger-ui-dist")
_CSS: Final = "text/css; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"
# Path below the page -> content type, of the package's files.
_SERVED_FILES: Final[Mapping[str, str]] = MappingProxyType({"swagger-ui.css": _CSS, "swagger-ui-bundle.js": _SCRIPT})

# The viewer sets styles from its script and shows images that it holds itself; requests that a reader tries out go to this gateway.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS: Final[Headers] = (("Content-Security-Policy", _POLICY), ("Referrer-Policy", "no-referrer"))

_PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trunkline API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<noscript>This page needs JavaScript. The document that it shows is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<div id="viewer"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = b"""SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#viewer",
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
});
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a path shows."""

    body: bytes
    content_type: str
    headers: Headers = ()


def find_viewer() -> Path | None:
    """The folder of the viewer's files; None where its package is not installed."""
    spec = importlib.util.find_spec(_VIEWER_PACKAGE)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((Path(folder) / _VIEWER_FILES for folder in folders), None)


class Pages:
    """Finds pages by path. A file is read when it is first asked for, and kept. `locate_viewer` says where the viewer's files are."""

    def __init__(self, *, locate_viewer: Callable[[], Path | None] = find_viewer) -> None:
        self._locate_viewer = locate_viewer
        self._read: dict[str, Page] = {}

    def find(self, path: str) -> Page | None:
        """The page of a path; None where there is none. Raises GatewayError (NOT_FOUND) for the viewer where it is not installed."""
        if (page := self._read.get(path)) is None and (page := self._make(path)) is not None:
            self._read[path] = page
        return page

    def _make(self, path: str) -> Page | None:
        if path == DOCUMENT_PATH:
            return Page(body=_read_document(), content_type=JSON)
        if path == VIEWER_PATH:
            self._viewer()
            return Page(body=_PAGE, content_type=_HTML, headers=_PAGE_HEADERS)
        name = path.removeprefix(VIEWER_PATH + "/")
        if name == path:
            return None
        if name == "start.js":
            return Page(body=_START, content_type=_SCRIPT)
        if (content_type := _SERVED_FILES.get(name)) is None:
            return None
        return Page(body=(self._viewer() / name).read_bytes(), content_type=content_type)

    def _viewer(self) -> Path:
        folder = self._locate_viewer()
        if folder is None:
            raise GatewayError(
                ErrorReason.ERROR_REASON_NOT_FOUND,
                f"The viewer is not installed: pip install 'trunkline[server,docs]'. The document itself is at {DOCUMENT_PATH}.",
            )
        return folder


def _read_document() -> bytes:
    return (importlib.resources.files(__package__) / DOCUMENT_FILE).read_bytes()
