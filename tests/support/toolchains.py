# SPDX-License-Identifier: Apache-2.0
"""Programs that a test needs and a machine may lack: the test is skipped, or fails where REQUIRE_TOOLCHAINS=1 (CI)."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

CONFORMANCE = Path(__file__).resolve().parent.parent / "conformance"
NODE_PROGRAMS = CONFORMANCE / "node_modules" / ".bin"


def require_program(name: str) -> str:
    """Return the path of a program of the machine, such as go or node, or end the test."""
    found = shutil.which(name)
    if found is None:
        _end_test(f"this test needs the program {name}, which is not on the path")
    return found


def require_node_program(name: str) -> str:
    """Return the path of a program from tests/conformance/package.json, or end the test."""
    require_program("node")
    program = NODE_PROGRAMS / name
    if not program.exists():
        _end_test(f"this test needs {name} from tests/conformance: `make conformance-node` installs it")
    return str(program)


def require_test_program(name: str) -> str:
    """Return the path of a program that requirements/test.txt brings, such as envoy, where there is a wheel for the machine; else end the test."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        _end_test(f"this test needs {name} from requirements/test.txt, which has none for this machine")
    return found


def require_node_package(name: str) -> None:
    """End the test unless a package of tests/conformance/package.json is installed."""
    if not (NODE_PROGRAMS.parent / name / "package.json").exists():
        _end_test(f"this test needs {name} from tests/conformance: `make conformance-node` installs it")


def _end_test(reason: str) -> NoReturn:
    """Skip the running test, or fail it where nothing may be missing."""
    if os.environ.get("REQUIRE_TOOLCHAINS") == "1":
        pytest.fail(f"{reason} (REQUIRE_TOOLCHAINS=1)", pytrace=False)
    pytest.skip(reason)
