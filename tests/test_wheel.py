# SPDX-License-Identifier: Apache-2.0
"""The wheel: what is in it, what it asks for, and its script where only the client is installed."""

import os
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support.source_tree import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree, built by the locked build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: list[str]) -> Message:
    """The wheel's METADATA."""
    (name,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(name).decode())


def test_one_wheel_for_every_platform(wheel: Path) -> None:
    """The wheel is called trunkline and is pure Python."""
    assert wheel.name.startswith("trunkline-")
    assert wheel.name.endswith("-py3-none-any.whl")


@pytest.mark.parametrize(
    "name",
    [
        "trunkline/__init__.py",
        "trunkline/py.typed",
        "trunkline/descriptors.binpb",
        "trunkline/v1/chat_service_pb2.py",
        "trunkline/v1/chat_service_pb2.pyi",
        "trunkline/v1/chat_service_pb2_grpc.py",
        "trunkline_server/__main__.py",
        "trunkline_server/app.py",
    ],
)
def test_the_wheel_holds(names: list[str], name: str) -> None:
    """The client with its types and descriptors, and the server, are in the wheel."""
    assert name in names


def test_the_wheel_holds_every_file_of_the_packages(names: list[str]) -> None:
    """Nothing that git tracks in the two packages is left out, such as a data file."""
    folders = [ROOT / "clients" / "python", ROOT / "server"]
    files = [(path, folder) for folder in folders for path in folder.rglob("*") if path.is_file()]
    expected = {path.relative_to(folder).as_posix() for path, folder in files if path.parent != folder}
    assert {name for name in expected if "__pycache__" not in name and name.startswith("trunkline")} - set(
        names
    ) == set()


def test_the_wheel_holds_nothing_else(names: list[str]) -> None:
    """No tests, tools or settings are installed beside the two packages."""
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"trunkline", "trunkline_server"}


def test_the_base_asks_for_three_libraries(metadata: Message) -> None:
    """What `pip install trunkline` brings is grpcio, protobuf and googleapis-common-protos."""
    asked = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    base = {requirement.name for requirement in asked if requirement.marker is None}
    assert base == {"grpcio", "protobuf", "googleapis-common-protos"}


def test_the_script_of_a_client_install_says_what_to_install(wheel: Path) -> None:
    """Without the extra's libraries `trunkline` fails and names the extra."""
    # -S leaves out the site-packages of this interpreter; a wheel can be imported as it is.
    program = "import sys; from trunkline_server.__main__ import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    run = subprocess.run(
        [sys.executable, "-S", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert 'pip install "trunkline[server]"' in run.stderr
    assert "Traceback" not in run.stderr


def test_the_wheel_has_the_script(wheel: Path, names: list[str]) -> None:
    """Installing makes the program `trunkline`."""
    (name,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    with zipfile.ZipFile(wheel) as archive:
        assert "trunkline = trunkline_server.__main__:main" in archive.read(name).decode()
