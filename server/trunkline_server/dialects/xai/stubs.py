# SPDX-License-Identifier: Apache-2.0
"""The messages of xAI's package `xai-sdk`, which belongs to the extra `[xai]`: imported with the first request.

Importing any module of it as such runs the package's own start, which brings aiohttp clients, requests and OpenTelemetry: half a second that every call of
the gateway would wait for, and 30 MB. The generated files need nothing but protobuf and one another, so their folder is imported as a package of another
name. What protobuf knows of them is the same whichever way they come, and either may be first.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

NOT_INSTALLED: Final = "This provider needs the package xai-sdk: install `trunkline[server,xai]`."
PACKAGE: Final = "xai_sdk"

_OWN_NAME: Final = "trunkline_xai_proto"
# Made for protobuf 6, and what xAI's package itself takes with protobuf 7.
_FOLDER: Final = "proto/v6"
_CHAT: Final = f"{_OWN_NAME}.chat_pb2"


def chat_stubs() -> Any:
    """The module `chat_pb2`. Raises GatewayError (FEATURE_UNAVAILABLE) where the package is not installed, or has no such module."""
    loaded = sys.modules.get(_CHAT)
    if loaded is not None:
        return loaded
    try:
        return _import_chat()
    except ImportError as error:
        raise GatewayError(ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE, NOT_INSTALLED) from error


def image_stubs() -> Any:
    """The module `image_pb2`. Fails as `chat_stubs` does."""
    chat_stubs()
    return import_module(f"{_OWN_NAME}.image_pb2")


def _import_chat() -> Any:
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ImportError(PACKAGE)
    package = ModuleSpec(_OWN_NAME, None, is_package=True)
    package.submodule_search_locations = [f"{folder}/{_FOLDER}" for folder in found.submodule_search_locations]
    sys.modules[_OWN_NAME] = module_from_spec(package)
    return import_module(_CHAT)
