# SPDX-License-Identifier: Apache-2.0
"""`pip install .` in a fresh environment: a client that imports fast, and a script that says what it lacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.source_tree import ROOT

pytestmark = pytest.mark.slow

PROGRAM = (
    "import time; started = time.perf_counter(); import trunkline;"
    "print(f'{time.perf_counter() - started:.3f}'); trunkline.Client; trunkline.AsyncClient"
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the client alone."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", str(ROOT)]
    subprocess.run([str(folder / "bin" / "python"), *install], check=True, cwd=folder)
    return folder / "bin"


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """Runs a program with nothing of this run's paths."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_client_imports(fresh: Path) -> None:
    """`import trunkline` works without a warning. Its time is printed; the target is 0.3 s."""
    runs = [run(str(fresh / "python"), "-W", "error", "-c", PROGRAM) for _ in range(4)]
    assert [done.stderr for done in runs] == [""] * 4
    # The first run also wrote the byte code.
    print(f"import trunkline took {min(float(done.stdout) for done in runs[1:])} s at best of three")


def test_only_the_client_is_there(fresh: Path) -> None:
    """grpcio, protobuf, googleapis-common-protos, what these need, and nothing of the server."""
    listed = run(str(fresh / "python"), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").stdout
    names = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert names - {"pip", "setuptools", "typing_extensions", "typing-extensions"} == {
        "trunkline",
        "grpcio",
        "protobuf",
        "googleapis-common-protos",
    }


@pytest.mark.parametrize("arguments", [[], ["serve"], ["--help"]])
def test_the_script_says_what_to_install(fresh: Path, arguments: list[str]) -> None:
    """`trunkline` fails and names the extra."""
    done = run(str(fresh / "trunkline"), *arguments)
    assert done.returncode == 1
    assert 'pip install "trunkline[server]"' in done.stderr
    assert "Traceback" not in done.stderr
