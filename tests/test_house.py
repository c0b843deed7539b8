# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that no linter knows: docs/decisions/0001 and the dependency rule's calls."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support.source_tree import (
    CLIENT,
    PURE_FOLDERS,
    ROOT,
    SERVER,
    dotted,
    name_of,
    project_files,
    python_files,
    syntax_tree,
    text_files,
)

TESTS = ROOT / "tests"
TOOLS = ROOT / "tools"
BENCH = ROOT / "bench"

MAX_LINES = 400
MAX_TEST_LINES = 600
MAX_FUNCTION_LINES = 60
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "data", "info"})

# Modules without a test file of their own -> why they need none.
UNTESTED_MODULES = {
    "server/trunkline_server/core/ports.py": "protocols only: nothing runs",
    "server/trunkline_server/core/record.py": "dataclasses: tests/engine/test_record.py fills it",
}

SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_ENDINGS = (".c", ".go", ".h", ".java", ".js", ".mjs", ".proto", ".py", ".rs", ".sh", ".ts")
SPDX_NAMES = frozenset({"Makefile", "buf.gen.yaml", "buf.yaml", "pyproject.toml", "run"})

# Written in two halves, so that this file does not hold what it looks for.
ADDRESSES_OF_REGISTRIES = tuple(
    "".join(halves)
    for halves in (
        ("py", "pi.org"),
        ("files.python", "hosted.org"),
        ("registry.npm", "js.org"),
        ("registry.yarn", "pkg.com"),
        ("in", "dex.crates.io"),
        ("sta", "tic.crates.io"),
        ("pro", "xy.golang.org"),
        ("re", "po.maven.apache.org"),
        ("re", "po1.maven.org"),
        ("de", "b.debian.org"),
    )
)
PATHS_OF_A_MACHINE = tuple(
    "".join(halves) for halves in (("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/"))
)

# A directive that silences a tool, without the reason that must follow it.
IGNORE = re.compile(r"#\s*(noqa(: ?[A-Z]+\d+(, ?[A-Z]+\d+)*)?|type: ignore(\[[\w, -]*\])?|pragma: no cover)")

OUR_PYTHON = python_files(SERVER, CLIENT, TESTS, TOOLS, BENCH)
OUR_SERVER = python_files(SERVER)


def line_limit(path: Path) -> int:
    """The number of lines that a file may have."""
    return MAX_TEST_LINES if path.is_relative_to(TESTS) else MAX_LINES


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a file, methods and inner ones included."""
    return (node for node in ast.walk(syntax_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def mirror_of(path: Path) -> str:
    """Where the tests of a module stand: tests/ mirrors the server, tests/client/ the client."""
    mirror, source = (TESTS, SERVER) if path.is_relative_to(SERVER) else (TESTS / "client", CLIENT)
    return name_of(mirror / path.relative_to(source).with_name(f"test_{path.stem.strip('_')}.py"))


def source_lines(path: Path) -> list[str]:
    """The lines of a file, numbered from 1: the first entry is empty."""
    return ["", *path.read_text(encoding="utf-8").splitlines()]


def test_files_are_short() -> None:
    """A hand-written Python file has at most 400 lines, a test file 600."""
    lengths = {name_of(path): len(source_lines(path)) - 1 - line_limit(path) for path in OUR_PYTHON}
    assert [f"{name} is {over} lines too long" for name, over in lengths.items() if over > 0] == []


def test_functions_are_short() -> None:
    """A function has at most 60 lines."""
    found = [(path, node, (node.end_lineno or 0) - node.lineno + 1) for path in OUR_PYTHON for node in functions(path)]
    too_long = [entry for entry in found if entry[2] > MAX_FUNCTION_LINES]
    assert [f"{name_of(path)}: {node.name} has {lines} lines" for path, node, lines in too_long] == []


def test_every_module_has_its_test_file() -> None:
    """X.py of the server and the client has its test_X.py; those without one are in the table above."""
    modules = [path for path in python_files(SERVER, CLIENT) if path.name != "__init__.py"]
    wanted = {name_of(path): mirror_of(path) for path in modules if name_of(path) not in UNTESTED_MODULES}
    assert [f"{module} has no {test}" for module, test in wanted.items() if not (ROOT / test).is_file()] == []


def test_the_table_of_untested_modules_is_current() -> None:
    """A module that the table exempts exists."""
    assert [name for name in UNTESTED_MODULES if not (ROOT / name).is_file()] == []


def test_no_vague_names() -> None:
    """No module, package or tool is called utils, helpers, common, misc, manager, data or info."""
    parts = {(name_of(path), part) for path in OUR_PYTHON for part in path.relative_to(ROOT).with_suffix("").parts}
    assert sorted(name for name, part in parts if part.removeprefix("test_").strip("_") in BANNED_NAMES) == []


def test_every_source_names_its_licence() -> None:
    """The SPDX line is the first line of each source file, or the second after a shebang."""
    sources = [path for path in project_files() if path.name.endswith(SPDX_ENDINGS) or path.name in SPDX_NAMES]
    heads = {name_of(path): path.read_text(encoding="utf-8").splitlines()[:2] for path in sources}
    assert [name for name, head in heads.items() if not any(SPDX in line for line in head)] == []


def test_the_licence_is_there() -> None:
    """LICENSE is the Apache licence, version 2.0."""
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("banned", [*ADDRESSES_OF_REGISTRIES, *PATHS_OF_A_MACHINE])
def test_no_address_of_a_registry_and_no_path_of_a_machine(banned: str) -> None:
    """No file names a package registry's host or a folder of somebody's machine."""
    assert [name_of(path) for path in text_files() if banned in path.read_text(encoding="utf-8")] == []


def test_the_server_does_not_print() -> None:
    """Only the command line writes to the terminal."""
    terminal = {SERVER / "__main__.py", *python_files(SERVER / "cli")}
    calls = [(path, node) for path in OUR_SERVER if path not in terminal for node in ast.walk(syntax_tree(path))]
    prints = [(path, node) for path, node in calls if isinstance(node, ast.Call) and dotted(node.func) == "print"]
    assert [f"{name_of(path)}:{node.lineno}" for path, node in prints] == []


def test_no_task_without_an_owner() -> None:
    """A task is never started as a statement of its own: somebody keeps it, awaits it or cancels it."""
    nodes = [(path, node) for path in OUR_SERVER for node in ast.walk(syntax_tree(path)) if isinstance(node, ast.Expr)]
    calls = [(path, node.value) for path, node in nodes if isinstance(node.value, ast.Call)]
    starters = ("asyncio.create_task", "asyncio.ensure_future", "create_task", "ensure_future", "loop.create_task")
    assert [f"{name_of(path)}:{call.lineno}" for path, call in calls if dotted(call.func) in starters] == []


def test_wide_excepts_are_at_an_edge_or_give_a_reason() -> None:
    """`except Exception`, `except BaseException` and a bare except outside edge/ have a comment on their line."""
    handlers = [
        (path, node)
        for path in python_files(SERVER, CLIENT)
        if not path.is_relative_to(SERVER / "edge")
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.ExceptHandler)
    ]
    wide = [(path, node) for path, node in handlers if catches_everything(node)]
    silent = [(path, node) for path, node in wide if not reason_on(source_lines(path)[node.lineno])]
    assert [f"{name_of(path)}:{node.lineno}" for path, node in silent] == []


def test_an_ignore_gives_its_reason() -> None:
    """A line with `noqa`, `type: ignore` or `pragma: no cover` also says why."""
    lines = [(path, number, line) for path in OUR_PYTHON for number, line in enumerate(source_lines(path))]
    ignoring = [(path, number, line) for path, number, line in lines if IGNORE.search(line)]
    assert [f"{name_of(path)}:{number}" for path, number, line in ignoring if not reason_on(line)] == []


def reason_on(line: str) -> bool:
    """Tell whether the comment of a line has words beside its directives for tools."""
    return re.search(r"#.*[A-Za-z]{2}", IGNORE.sub("#", line)) is not None


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler catches Exception or more, alone or in a tuple."""
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(dotted(name) in {"Exception", "BaseException"} for name in caught)


def test_no_module_state() -> None:
    """No function of the server or the client rebinds a module's name."""
    nodes = [(path, node) for path in python_files(SERVER, CLIENT) for node in ast.walk(syntax_tree(path))]
    assert [f"{name_of(path)}:{node.lineno}" for path, node in nodes if isinstance(node, ast.Global)] == []


def test_pure_folders_read_no_clock() -> None:
    """Where time is an argument nobody asks datetime for it; imports of clocks are import-linter's business."""
    clocks = re.compile(r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|Path\.(cwd|home))$")
    nodes = [
        (path, node)
        for path in python_files(*(SERVER / folder for folder in PURE_FOLDERS))
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.Attribute)
    ]
    assert [f"{name_of(path)}:{node.lineno}" for path, node in nodes if clocks.search(dotted(node))] == []


def test_importing_the_client_pulls_in_no_server() -> None:
    """`import trunkline` warns of nothing and loads neither the server nor its libraries. The time is printed, not tested."""
    program = (
        "import sys, time; started = time.perf_counter(); import trunkline; took_s = time.perf_counter() - started;"
        "print(f'import trunkline took {took_s:.3f} s');"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(CLIENT.parent)}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    timing, loaded = run.stdout.splitlines()
    print(timing)
    # Not among them: grpc_health and grpc_reflection, whose empty packages grpc itself imports where they are installed.
    server_side = {
        "aiohttp",
        "orjson",
        "pydantic",
        "trunkline_server",
        "uvloop",
    }
    assert server_side.intersection(loaded.split()) == set()


def test_the_client_depends_on_three_libraries() -> None:
    """The base install is grpcio, protobuf and googleapis-common-protos."""
    assert {requirement.name for requirement in direct_requirements("pyproject.toml")} == {
        "grpcio",
        "protobuf",
        "googleapis-common-protos",
    }


SOURCES_OF_REQUIREMENTS = [
    "pyproject.toml",
    "server",
    "docs",
    "bedrock",
    "vertex",
    "xai",
    "run.in",
    "test.in",
    "bench.in",
    "generate.in",
]


def direct_requirements(source: str) -> list[Requirement]:
    """What pyproject.toml (its base list), its extra server, or a file of requirements/ asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"pyproject.toml": project["dependencies"], **project["optional-dependencies"]}
    lines = (
        lists[source] if source in lists else (ROOT / "requirements" / source).read_text(encoding="utf-8").splitlines()
    )
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("source", SOURCES_OF_REQUIREMENTS)
def test_every_dependency_has_a_reason(source: str) -> None:
    """Each direct dependency has its line in the decision record."""
    record = (ROOT / "docs" / "decisions" / "0001-house-and-dependencies.md").read_text(encoding="utf-8")
    rows = {word for line in record.splitlines() if line.startswith("|") for word in re.split(r"[|,\s]+", line)}
    assert [requirement.name for requirement in direct_requirements(source) if requirement.name not in rows] == []


TARGETS = [
    "bench",
    "bench-quick",
    "check",
    "fix",
    "generate",
    "golden",
    "guard",
    "help",
    "memory",
    "profile",
    "run",
    "soak",
    "test",
    "test-all",
]


@pytest.mark.parametrize("target", TARGETS)
def test_make_help_names_the_targets(target: str) -> None:
    """`make help` has a line for each target that people call."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE)


def test_ci_runs_the_targets_of_the_readme() -> None:
    """.ci/run is executable and calls make check, test and test-all."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "for target in check test test-all" in script.read_text(encoding="utf-8")
