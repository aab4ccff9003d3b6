"""Imports every module of a package as if only the library's own requirements were installed.

Run as `python -P tests/import_light.py tfmtl`, or with a further name for a package that needs `tfmtl` itself:
`python -P tests/import_light.py mine tfmtl`. Whatever another installed distribution provides (TFX, Beam, pandas ...)
raises ModuleNotFoundError, so that a full environment tells what a bare `pip install tfmtl` would. Prints the names of
the modules imported.
"""

import importlib
import importlib.metadata
import pkgutil
import re
import sys
from collections.abc import Iterable

from packaging.requirements import Requirement

REQUIREMENTS = ("tensorflow", "keras", "PyYAML")  # what setup.py requires without extras
UNUSED = {"grpc"}  # comes with TensorFlow, yet the library has no use for it


def canonical(name: str) -> str:
    """Returns the normal form of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(names: Iterable[str]) -> set[str]:
    """Returns the named distributions that are installed, and all that they require."""
    found: set[str] = set()
    open_names = [canonical(name) for name in names]
    while open_names:
        name = open_names.pop()
        if name in found:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        for need in map(Requirement, requires):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                open_names.append(canonical(need.name))
    return found


class Absent:
    """Import hook that hides top-level modules."""

    def __init__(self, names: set[str]):
        self.names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Raises an error for a hidden module and leaves all others to the next finder."""
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def main(package_name: str, *beside: str) -> None:
    """Hides the other distributions, then imports the package; `beside` names packages that it may import."""
    allowed = {*closure(REQUIREMENTS), canonical(package_name), *map(canonical, beside)}
    providers = importlib.metadata.packages_distributions()
    absent = {top for top, names in providers.items() if not allowed & {canonical(name) for name in names}}
    sys.meta_path.insert(0, Absent((absent | UNUSED) - {package_name, *beside}))
    package = importlib.import_module(package_name)
    modules = pkgutil.walk_packages(package.__path__, f"{package_name}.", onerror=raise_again)
    for module in modules:
        importlib.import_module(module.name)
        print(module.name)


def raise_again(_: str) -> None:
    """Raises the error of a package that cannot be imported, which walk_packages would skip."""
    raise


if __name__ == "__main__":
    main(*sys.argv[1:])
