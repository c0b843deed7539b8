# SPDX-License-Identifier: Apache-2.0
"""Make the Python code and the descriptor set from proto/, or check that the committed ones are what it would make.

Runs in the environment of requirements/generate.txt (`make generate` and `make check` see to that). The same input gives
the same bytes: sources are sorted, tools are locked, nothing carries a date or a path.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
# Ignored by git: the protos of others, which buf and protoc read next to ours.
IMPORTED_PROTO = ROOT / "build" / "proto"
PACKAGE = Path("trunkline")
COMMITTED = ROOT / "clients" / "python"
DESCRIPTORS = "descriptors.binpb"
# What stands packed in a failed call's status. Stock transcoders write such a status as JSON only where they know these messages.
STATUS_DETAILS = ("google/rpc/error_details.proto",)

_SPDX = "# SPDX-License-Identifier: Apache-2.0\n"
_GENERATED_PATTERNS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi", DESCRIPTORS)
_IMPORT = re.compile(r'^import\s+(?:public\s+|weak\s+)?"(google/(?!protobuf/)[^"]+)"', re.MULTILINE)


def copy_imported_protos(sources: list[Path], target: Path) -> None:
    """Copy what our protos import, directly or through others, and STATUS_DETAILS, from the installed googleapis-common-protos to target."""
    spec = find_spec("google.api")
    roots = [Path(entry).parent.parent for entry in (spec.submodule_search_locations or ())] if spec else []
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    waiting: list[Path | None] = [None, *sources]
    while waiting:
        source = waiting.pop()
        names = STATUS_DETAILS if source is None else _IMPORT.findall(source.read_text(encoding="utf-8"))
        for name in names:
            copy = target / name
            if copy.exists():
                continue
            origin = next((root / name for root in roots if (root / name).is_file()), None)
            if origin is None:
                sys.exit(f"tools/generate.py: no installed package has {name}: add it to requirements/generate.in")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, copy)
            waiting.append(copy)


def run_protoc(sources: list[Path], out: Path) -> None:
    """Write the modules, their type stubs and the descriptor set below out; end the program when protoc refuses."""
    (out / PACKAGE).mkdir(parents=True, exist_ok=True)
    well_known = resources.files("grpc_tools") / "_proto"
    names = [str(source.relative_to(PROTO)) for source in sources]
    start = ["protoc", *(f"--proto_path={path}" for path in (PROTO, IMPORTED_PROTO, well_known))]
    status = protoc.main(
        [
            *start,
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            # mypy-protobuf's stubs, not --pyi_out: they type extensions, HasField and the gRPC stubs, and carry our comments.
            f"--mypy_out=quiet:{out}",
            f"--mypy_grpc_out=quiet:{out}",
            *names,
        ]
    ) or protoc.main(
        [
            *start,
            f"--descriptor_set_out={out / PACKAGE / DESCRIPTORS}",
            "--include_imports",
            "--include_source_info",
            *names,
            *STATUS_DETAILS,
        ]
    )
    if status != 0:
        sys.exit(status)


def tidy(out: Path) -> None:
    """Drop the gRPC modules of files without services, mark the licence, and make each folder a package."""
    for module in sorted(out.rglob("*_pb2_grpc.py")):
        if "def add_" not in module.read_text(encoding="utf-8"):
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)
    for path in sorted([*out.rglob("*.py"), *out.rglob("*.pyi")]):
        path.write_text(_SPDX + path.read_text(encoding="utf-8"), encoding="utf-8")
    for folder in package_folders(out, out.rglob("*_pb2.py")):
        package = ".".join(folder.relative_to(out).parts)
        docstring = f'"""Generated protobuf modules of the package {package}."""\n'
        (folder / "__init__.py").write_text(_SPDX + docstring, encoding="utf-8")


def package_folders(root: Path, modules: Iterable[Path]) -> list[Path]:
    """Return the folders that lead from the client's package, itself left out, to the modules: each is a package."""
    top = root / PACKAGE
    return sorted({folder for module in modules for folder in module.parents if folder.is_relative_to(top)} - {top})


def generated_files(root: Path) -> dict[str, bytes]:
    """Return every generated file below root as relative posix path -> content."""
    found = {path for pattern in _GENERATED_PATTERNS for path in (root / PACKAGE).rglob(pattern)}
    modules = [path for path in found if path.name.endswith("_pb2.py")]
    packages = {folder / "__init__.py" for folder in package_folders(root, modules)}
    files = sorted(path for path in found | packages if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def write(made: dict[str, bytes], current: dict[str, bytes]) -> None:
    """Make the committed files equal to the made ones, touching only those that differ."""
    for name in sorted(current.keys() - made.keys()):
        (COMMITTED / name).unlink()
        print(f"removed clients/python/{name}")
    for name, content in made.items():
        if current.get(name) != content:
            target = COMMITTED / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            print(f"wrote   clients/python/{name}")


def main() -> int:
    """Return the exit status: 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the committed files differ")
    parser.add_argument("--imports-only", action="store_true", help="only copy the protos of others, which buf reads")
    options = parser.parse_args()
    # protoc looks for its plugins on the path, and they stand beside this interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    sources = sorted((PROTO / PACKAGE).rglob("*.proto"))
    copy_imported_protos(sources, IMPORTED_PROTO)
    if options.imports_only:
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        run_protoc(sources, Path(scratch))
        tidy(Path(scratch))
        made = generated_files(Path(scratch))
    current = generated_files(COMMITTED)
    differing = sorted(name for name in made.keys() | current.keys() if made.get(name) != current.get(name))
    if not options.check:
        write(made, current)
        return 0
    for name in differing:
        print(f"clients/python/{name} is not what proto/ gives: run `make generate` and commit the result")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
