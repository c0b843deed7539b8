# SPDX-License-Identifier: Apache-2.0
"""The project's own files, and what their syntax trees say, for the tests of the house."""

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = ROOT / "server" / "trunkline_server"
CLIENT = ROOT / "clients" / "python" / "trunkline"
PURE_FOLDERS = ("catalog", "core", "dialects", "jsonshape", "routing")

# What .gitignore names, and git itself.
_SKIPPED_FOLDERS = frozenset({".git", ".hypothesis", "__pycache__", "build", "dist", "node_modules", "target"})
_GENERATED_ENDINGS = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi", ".binpb")
_BINARY_ENDINGS = (".binpb", ".png")


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the working tree that belongs to the project, sorted."""
    found = []
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [name for name in subfolders if name not in _SKIPPED_FOLDERS and not _is_cache(name)]
        found += [Path(folder) / name for name in names]
    return tuple(sorted(found))


def text_files() -> Iterator[Path]:
    """The project's files that are text."""
    return (path for path in project_files() if not path.name.endswith(_BINARY_ENDINGS))


def is_generated(path: Path) -> bool:
    """Tell whether tools/generate.py made the file, the packages of generated modules included."""
    made_package = path.name == "__init__.py" and path.parent != CLIENT and path.is_relative_to(CLIENT)
    in_generated = made_package and any(path.parent.rglob("*_pb2.py"))
    return path.name.endswith(_GENERATED_ENDINGS) or in_generated


def python_files(*folders: Path) -> list[Path]:
    """The hand-written Python files below the folders."""
    inside = [path for path in project_files() if any(path.is_relative_to(folder) for folder in folders)]
    return [path for path in inside if path.suffix == ".py" and not is_generated(path)]


def name_of(path: Path) -> str:
    """The path from the project's root, as tests print it."""
    return path.relative_to(ROOT).as_posix()


@cache
def syntax_tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def dotted(node: ast.expr) -> str:
    """The dotted name that an expression spells (`asyncio.create_task`), or "" when it is not a plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""


def _is_cache(name: str) -> bool:
    """Tell whether a folder is an environment or a tool's cache."""
    return name.startswith((".venv", ".benchmarks")) or (name.startswith(".") and name.endswith("_cache"))
