"""A hash of our own code: TFX's cache sees a component's parameters, not the modules that it imports."""

import ast
import hashlib
import importlib.util
import itertools
import pathlib
from collections.abc import Iterator

_OURS = ("tfmtl", "transforms", "serving", "pipelines")


def code_hash(*names: str) -> str:
    """16 hexadecimal digits of the Python sources of packages, and of modules with all of ours that they import.

    Of a package all modules count, and of a module those that it imports anywhere, on their own and in turn. So what a
    component's hash is made of is what it runs: another model's code is no reason to read a log again.

    Args:
        names: of packages and modules.

    Raises:
        ValueError: if one of them is not there.
    """
    found: dict[str, pathlib.Path] = {}
    for name in names:
        path = _path(name)
        if path is None:
            raise ValueError(f"`names` should be those of packages and modules of ours. Received: {name!r}")
        if path.name == "__init__.py":
            found |= {str(file.relative_to(path.parent.parent)): file for file in path.parent.rglob("*.py")}
        else:
            found |= _with_imports(name)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + found[name].read_bytes())
    return digest.hexdigest()[:16]


def _with_imports(name: str) -> dict[str, pathlib.Path]:
    found: dict[str, pathlib.Path] = {}
    left = [name]
    while left:
        module = left.pop()
        path = _path(module)
        if path is None or module in found:
            continue
        found[module] = path
        for package in itertools.accumulate(module.split(".")[:-1], "{}.{}".format):
            found[f"{package}.__init__"] = _path(package) or path  # It runs too; what else it imports is not used.
        left += _imports(path)
    return found


def _imports(path: pathlib.Path) -> Iterator[str]:
    """The names of modules, and of what may be modules, that a file imports."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _path(name: str) -> pathlib.Path | None:
    """The file of a module or package of ours; None of any other name."""
    top, *parts = name.split(".")
    if top not in _OURS:
        return None
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    root = pathlib.Path(next(iter(spec.submodule_search_locations))).joinpath(*parts)
    files = [root / "__init__.py", root.with_suffix(".py")] if parts else [root / "__init__.py"]
    return next((file for file in files if file.exists()), None)
