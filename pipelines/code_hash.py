"""A hash of our own code: TFX's cache sees a component's parameters, not the packages that it imports."""

import hashlib
import importlib.util
import pathlib


def code_hash(*packages: str) -> str:
    """16 hexadecimal digits of the Python sources of the named packages."""
    digest = hashlib.sha256()
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"`packages` should be importable packages. Received: {package!r}")
        root = pathlib.Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root.parent)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
