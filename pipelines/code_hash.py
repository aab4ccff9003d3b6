"""Hash of the project's source code.

TFX's cache compares a component's parameters but not the modules that it imports, so each component has this hash as
one of its parameters.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import itertools
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

_PROJECT_PACKAGES = ("tfmtl", "transforms", "serving", "pipelines")
_DOTTED = re.compile(r"\w+(\.\w+)+")


def code_hash(*names: str) -> str:
    """Returns the hash of the source code of packages and modules, as 16 hexadecimal digits.

    A package contributes all its modules. A module contributes itself and all modules of this project that it imports,
    directly or indirectly, at its top or inside a function, or that it names in a string, as the registry of the models
    does. A component's hash therefore covers the code that the component runs: a change to a model does not cause the
    log to be read again.

    Args:
        *names: Names of packages and modules of this project.

    Raises:
        ValueError: If one of them does not exist.
    """
    found: dict[str, pathlib.Path] = {}
    for name in names:
        path = _path(name)
        if path is None:
            raise ValueError(f"`names` should be packages and modules of this project. Received: {name!r}")
        if path.name == "__init__.py":
            found |= {str(file.relative_to(path.parent.parent)): file for file in path.parent.rglob("*.py")}
        else:
            found |= _with_imports(name)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + found[name].read_bytes())
    return digest.hexdigest()[:16]


def versioned_code_hash(names: Iterable[str], libraries: Iterable[str]) -> str:
    """Returns the hash of source code and of the versions of libraries, as 16 hexadecimal digits.

    Args:
        names: Names of packages and modules of this project, as of `code_hash`.
        libraries: Names of installed distributions.
    """
    digest = hashlib.sha256(code_hash(*names).encode())
    for library in libraries:
        digest.update(importlib.metadata.version(library).encode())
    return digest.hexdigest()[:16]


def _with_imports(name: str) -> dict[str, pathlib.Path]:
    """Returns the files of a module and of all modules of this project that it imports, by module name."""
    found: dict[str, pathlib.Path] = {}
    left = [name]
    while left:
        module = left.pop()
        path = _path(module)
        if path is None or module in found:
            continue
        found[module] = path
        for package in itertools.accumulate(module.split(".")[:-1], "{}.{}".format):
            # Python runs the package's __init__ too; the imports of that are not followed.
            found[f"{package}.__init__"] = _path(package) or path
        left += _imports(path.read_bytes())
    return found


@functools.cache  # Components share most of the files that they import.
def _imports(source: bytes) -> tuple[str, ...]:
    """Returns the names of all modules that a file may import; some of them may be names inside a module.

    Imports under `if TYPE_CHECKING` are skipped, as they are not executed.

    Args:
        source: Content of the file.
    """
    return tuple(dict.fromkeys(_imported(source)))


def _imported(source: bytes) -> Iterator[str]:
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            yield node.value
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
        else:
            nodes += ast.iter_child_nodes(node)


def _path(name: str) -> pathlib.Path | None:
    """Returns the file of a module or package of this project, or None for any other name."""
    top, *parts = name.split(".")
    folder = _folder(top) if top in _PROJECT_PACKAGES else None
    if folder is None:
        return None
    stem = os.path.join(folder, *parts)
    files = [os.path.join(stem, "__init__.py"), *([f"{stem}.py"] if parts else [])]
    return next((pathlib.Path(file) for file in files if os.path.exists(file)), None)


@functools.cache
def _folder(package: str) -> str | None:
    """Returns the folder of a package, or None if it is not installed."""
    spec = importlib.util.find_spec(package)
    return next(iter(spec.submodule_search_locations or ()), None) if spec else None
