# SPDX-License-Identifier: Apache-2.0
"""Checks between settings."""

import pytest

from trunkline_server.config.checks import check_written
from trunkline_server.config.scalars import find_scalars
from trunkline_server.config.sources import SettingsFile, read_sources
from trunkline_server.dialects.registry import DIALECT_NAMES

BUILTIN = {
    "providers": [{"slug": "simulator", "transport": "simulator"}],
    "models": [{"slug": "sim/echo", "endpoints": [{"provider": "simulator"}]}],
}
DIALECTS = ", ".join(DIALECT_NAMES)
UNSAFE = "without keys the gateway serves this machine alone"
PLAIN = "plain http:// would send keys and prompts unencrypted"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", []),
        ('http.listen = "127.9.9.9:1"\ngrpc.listen = "[::1]:1"', []),
        ('http.listen = "0.0.0.0:1"', [("g.toml:1", UNSAFE)]),
        ('http.listen = "[::]:1"\ngrpc.listen = "gateway.example:1"', [("g.toml:1", UNSAFE), ("g.toml:2", UNSAFE)]),
        ('insecure = true\nhttp.listen = "0.0.0.0:1"', []),
        ('insecure = "yes"\nhttp.listen = "0.0.0.0:1"', [("g.toml:2", UNSAFE)]),
        ('http.listen = "0.0.0.0:1"\nkeys = [{ name = "a", sha256 = "b" }]', []),
        ('http.listen = "0.0.0.0:1"\nkeys = []', [("g.toml:1", UNSAFE)]),
        ('http.listen = "nonsense"', []),
        ("http = 5", []),
        ('default_model = "sim/echo"', []),
        ('default_model = "sim/eco"', [("g.toml:1", "no model has this slug. Did you mean `sim/echo`?")]),
        ('routing.only = ["simulator", "Simulator"]', []),
        (
            '[routing]\nonly = [\n"simulator",\n"simulater"]\nignore = ["zeta"]',
            [
                ("g.toml:4", "no provider and no endpoint has this slug. Did you mean `simulator`?"),
                ("g.toml:5", "no provider and no endpoint has this slug."),
            ],
        ),
        ('[[providers]]\nslug = "p"\nbase_url = "http://127.0.0.1:1/v1"', []),
        ('[[providers]]\nslug = "p"\nbase_url = "http://localhost/v1"', []),
        ('[[providers]]\nslug = "p"\nbase_url = "http://api.example.com"', [("g.toml:3", PLAIN)]),
        ('[[providers]]\nslug = "p"\nallow_plain_http = true\nbase_url = "http://api.example.com"', []),
        ('insecure = true\n[[providers]]\nslug = "p"\nbase_url = "http://api.example.com"', []),
        (
            '[[providers]]\nslug = "p"\nbase_url = "https://api.example.com"\ndialect = "openai-chat"',
            [("g.toml:4", f"must be one of the dialects there are: {DIALECTS}. Did you mean `openai_chat`?")],
        ),
        (
            '[[keys]]\nname = "a"\nsha256 = "x"\n[[keys]]\nname = "A "\nsha256 = "X"',
            [("g.toml:5", "another key has this name"), ("g.toml:6", "another key has this hash")],
        ),
        (
            '[[models]]\nslug = "sim/echo"\nendpoints = [{ provider = "simulator", service_tier = "flex" }]',
            [("g.toml:3", "an endpoint of a service tier needs a `tag` of its own")],
        ),
    ],
)
def test_checks(text: str, faults: list[tuple[str, str]]) -> None:
    """Each fault is placed on its line; whatever has the wrong type is left to the types."""
    file = SettingsFile(name="g.toml", text=text)
    written = read_sources(file=file, environment={}, flags={}, scalars=tuple(find_scalars()))
    found = check_written(written, [BUILTIN])
    assert [(fault.where, fault.message) for fault in found] == [
        (where, fault.message) for (where, words), fault in zip(faults, found, strict=True) if words in fault.message
    ]
