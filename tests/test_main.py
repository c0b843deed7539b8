# SPDX-License-Identifier: Apache-2.0
"""The program `trunkline` where only the client is installed."""

import pytest

from trunkline_server.__main__ import main


def test_without_the_extra_it_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the server's libraries the program fails and names them and the extra."""
    assert main(find=lambda _name: None) == 1
    assert "aiohttp" in (error := capsys.readouterr().err)
    assert 'pip install "trunkline[server]"' in error


def test_one_missing_library_is_named_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what is missing is named."""
    assert main(find=lambda name: None if name == "orjson" else object()) == 1
    assert "also need orjson.\n" in capsys.readouterr().err
